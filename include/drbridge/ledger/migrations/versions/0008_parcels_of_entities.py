"""only parcels that speak of an entity are found by it: those of files need no place in that index"""

from alembic import op
import sqlalchemy as sa

revision = '0008'
down_revision = '0007'

WHERE = sa.text('entity IS NOT NULL')


def upgrade() -> None:
    op.drop_index('ix_parcels_entity_state', 'parcels')
    op.create_index(
        'ix_parcels_entity_state', 'parcels', ['entity', 'state'], sqlite_where=WHERE, postgresql_where=WHERE
    )


def downgrade() -> None:
    op.drop_index('ix_parcels_entity_state', 'parcels')
    op.create_index('ix_parcels_entity_state', 'parcels', ['entity', 'state'])
