"""parcels in shares for several senders, and in the order of their rows: the next thousand are claimed unsorted"""

from alembic import op
import sqlalchemy as sa

revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    op.add_column('parcels', sa.Column('share', sa.Integer(), nullable=False, server_default='0'))
    op.create_index('ix_parcels_delivery_id_state_first_row', 'parcels', ['delivery_id', 'state', 'first_row'])
    op.drop_index('ix_parcels_delivery_id_state', 'parcels')


def downgrade() -> None:
    op.create_index('ix_parcels_delivery_id_state', 'parcels', ['delivery_id', 'state'])
    op.drop_index('ix_parcels_delivery_id_state_first_row', 'parcels')
    op.drop_column('parcels', 'share')
