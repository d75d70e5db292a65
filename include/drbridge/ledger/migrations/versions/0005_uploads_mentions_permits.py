"""uploads that were begun, what messages name, when the next call to a target is due, and files that were approved"""

from alembic import op
import sqlalchemy as sa

revision = '0005'
down_revision = '0004'

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.add_column('intakes', sa.Column('approved_at', sa.Float(), nullable=True))
    op.add_column('targets', sa.Column('permits_at', sa.Float(), nullable=False, server_default='0'))
    op.create_table(
        'uploads',
        sa.Column('store', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('begun_at', sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint('store', 'name', name='pk_uploads'),
    )
    op.create_table(
        'mentions',
        sa.Column('mark', sa.String(length=32), nullable=False),
        sa.Column('intake_id', ID, sa.ForeignKey('intakes.id', name='fk_mentions_intake_id_intakes'), nullable=False),
        sa.PrimaryKeyConstraint('mark', 'intake_id', name='pk_mentions'),
    )
    op.create_index('ix_mentions_intake_id', 'mentions', ['intake_id'])


def downgrade() -> None:
    op.drop_index('ix_mentions_intake_id', 'mentions')
    op.drop_table('mentions')
    op.drop_table('uploads')
    op.drop_column('targets', 'permits_at')
    op.drop_column('intakes', 'approved_at')
