"""messages: their sealed content, what their parts speak of, and what the other side has last of it"""

from alembic import op
import sqlalchemy as sa

revision = '0003'
down_revision = '0002'

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.add_column('parcels', sa.Column('entity', sa.String(length=40), nullable=True))
    op.add_column('parcels', sa.Column('order_at', sa.Float(), nullable=False, server_default='0'))
    op.add_column('parcels', sa.Column('reply', sa.Text(), nullable=True))
    op.create_index('ix_parcels_entity_state', 'parcels', ['entity', 'state'])
    op.drop_index('ix_deliveries_lane_state', 'deliveries')
    op.create_index('ix_deliveries_queue', 'deliveries', ['lane', 'state', 'business_at', 'version_at', 'id'])
    op.create_index('ix_deliveries_state_lane', 'deliveries', ['state', 'lane'])
    op.create_table(
        'messages',
        sa.Column('id', ID, primary_key=True, autoincrement=True),
        sa.Column('intake_id', ID, sa.ForeignKey('intakes.id', name='fk_messages_intake_id_intakes'), nullable=False),
        sa.Column('number', sa.String(length=40), nullable=False),
        sa.Column('sealed', sa.LargeBinary(), nullable=False),
        sa.Column('belongs_to', sa.String(length=40), nullable=True),
        sa.Column('caller', sa.Text(), nullable=False),
        sa.Column('received_at', sa.Float(), nullable=False),
        sa.Column('file_name', sa.Text(), nullable=True),
        sa.UniqueConstraint('intake_id', name='uq_messages_intake_id'),
        sa.UniqueConstraint('number', name='uq_messages_number'),
    )
    op.create_index('ix_messages_belongs_to', 'messages', ['belongs_to'])
    op.create_index('ix_messages_file_name', 'messages', ['file_name'])
    op.create_table(
        'standings',
        sa.Column('entity', sa.String(length=40), primary_key=True),
        sa.Column('order_at', sa.Float(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table('standings')
    op.drop_table('messages')
    op.drop_index('ix_deliveries_state_lane', 'deliveries')
    op.drop_index('ix_deliveries_queue', 'deliveries')
    op.create_index('ix_deliveries_lane_state', 'deliveries', ['lane', 'state'])
    op.drop_index('ix_parcels_entity_state', 'parcels')
    op.drop_column('parcels', 'reply')
    op.drop_column('parcels', 'order_at')
    op.drop_column('parcels', 'entity')
