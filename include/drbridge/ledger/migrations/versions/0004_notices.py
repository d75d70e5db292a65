"""notices: what people are to be told, and whether they were"""

from alembic import op
import sqlalchemy as sa

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    op.create_table(
        'notices',
        sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
        sa.Column('key', sa.String(length=64), nullable=False),
        sa.Column('channel', sa.String(length=10), nullable=False),
        sa.Column('kind', sa.String(length=10), nullable=False),
        sa.Column('flow', sa.String(length=120), nullable=False),
        sa.Column('what', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('why', sa.Text(), nullable=False),
        sa.Column('fix', sa.Text(), nullable=False),
        sa.Column('link', sa.Text(), nullable=False),
        sa.Column('made_at', sa.Float(), nullable=False),
        sa.Column('told_at', sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
        sa.UniqueConstraint('key', 'channel', name=op.f('uq_notices_key_channel')),
    )
    op.create_index(op.f('ix_notices_told_at'), 'notices', ['told_at'])


def downgrade() -> None:
    op.drop_index(op.f('ix_notices_told_at'), table_name='notices')
    op.drop_table('notices')
