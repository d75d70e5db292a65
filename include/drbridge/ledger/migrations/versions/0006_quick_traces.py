"""which messages have their mentions, and parcels in the order of their rows"""

from alembic import op
import sqlalchemy as sa

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.add_column('messages', sa.Column('marked', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index('ix_messages_marked', 'messages', ['marked'])
    op.create_index('ix_parcels_delivery_id_first_row', 'parcels', ['delivery_id', 'first_row'])


def downgrade() -> None:
    op.drop_index('ix_parcels_delivery_id_first_row', 'parcels')
    op.drop_index('ix_messages_marked', 'messages')
    op.drop_column('messages', 'marked')
