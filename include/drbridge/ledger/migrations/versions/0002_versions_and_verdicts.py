"""versions and verdicts: which of two files of a day is newer, which check staged the rows, when a target worked, came back"""

from alembic import op
import sqlalchemy as sa

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    op.add_column('deliveries', sa.Column('version_at', sa.Float(), nullable=False, server_default='0'))
    op.add_column('deliveries', sa.Column('verdict', sa.String(length=16), nullable=False, server_default=''))
    op.add_column('targets', sa.Column('succeeded_at', sa.Float(), nullable=False, server_default='0'))
    op.add_column('targets', sa.Column('back_at', sa.Float(), nullable=False, server_default='0'))
    op.add_column('attempts', sa.Column('code', sa.String(length=60), nullable=True))


def downgrade() -> None:
    op.drop_column('attempts', 'code')
    op.drop_column('targets', 'back_at')
    op.drop_column('targets', 'succeeded_at')
    op.drop_column('deliveries', 'verdict')
    op.drop_column('deliveries', 'version_at')
