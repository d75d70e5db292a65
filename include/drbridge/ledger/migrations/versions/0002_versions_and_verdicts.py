"""versions and verdicts: which of two files of one day is newer, which check staged the rows, when a target last worked"""

from alembic import op
import sqlalchemy as sa

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    op.add_column('deliveries', sa.Column('version_at', sa.Float(), nullable=False, server_default='0'))
    op.add_column('deliveries', sa.Column('verdict', sa.String(length=16), nullable=False, server_default=''))
    op.add_column('targets', sa.Column('succeeded_at', sa.Float(), nullable=False, server_default='0'))


def downgrade() -> None:
    op.drop_column('targets', 'succeeded_at')
    op.drop_column('deliveries', 'verdict')
    op.drop_column('deliveries', 'version_at')
