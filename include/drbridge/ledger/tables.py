"""The ledger's tables. Times are seconds since 1970 UTC; rows of files are not rows of the ledger."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


# One thing that arrived. A file without rows is told apart by its name as well, in name_key. Of an approved file the
# good rows go, however many are bad: a person has decided it.
intakes = Table(
    "intakes",
    metadata,
    _id(),
    Column("noun", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("name_key", Text, nullable=False, default=""),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("refusal_code", String(60)),
    Column("refusal_text", Text),
    Column("business_at", Float, nullable=False),
    Column("taken_at", Float, nullable=False),
    Column("approved_at", Float),
    UniqueConstraint("noun", "sha256", "name_key"),
)

# Where and under which name an intake was seen. A sighting is over once the source is renamed.
sightings = Table(
    "sightings",
    metadata,
    _id(),
    Column("intake_id", _Id, ForeignKey("intakes.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime", Float, nullable=False),
    Column("ends_hash", String(64), nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("renamed_to", Text),
    Column("renamed_at", Float),
    Index(None, "source", "name"),
    Index(None, "intake_id"),
)

# What the last looks at a source saw: two that agree a quiet time apart make a file whole.
looks = Table(
    "looks",
    metadata,
    Column("source", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime", Float, nullable=False),
    Column("ends_hash", String(64), nullable=False),
    Column("since_at", Float, nullable=False),
)

# When a flow's source was last listed.
patrols = Table(
    "patrols",
    metadata,
    Column("flow", String(80), primary_key=True),
    Column("looked_at", Float, nullable=False),
)

# One intake on its way to one destination. Of two with one business date the later version is the newer file;
# the verdict says which check of its bytes staged its rows.
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    Column("intake_id", _Id, ForeignKey("intakes.id"), nullable=False),
    Column("flow", String(80), nullable=False),
    Column("destination", String(80), nullable=False),
    Column("lane", String(200), nullable=False),
    Column("state", String(12), nullable=False),
    Column("business_at", Float, nullable=False),
    Column("version_at", Float, nullable=False, default=0.0),
    Column("verdict", String(16), nullable=False, default=""),
    Column("rows", BigInteger, nullable=False),
    Column("rejected_rows", BigInteger, nullable=False, default=0),
    Column("duplicate_rows", BigInteger, nullable=False, default=0),
    Column("superseded_rows", BigInteger, nullable=False, default=0),
    Column("flagged_rows", BigInteger, nullable=False, default=0),
    Column("generation", Integer, nullable=False, default=0),
    Column("note", Text),
    Column("opened_at", Float, nullable=False),
    Column("ended_at", Float),
    UniqueConstraint("intake_id", "flow", "destination"),
    Index("ix_deliveries_queue", "lane", "state", "business_at", "version_at", "id"),
    Index(None, "flow", "state"),
    Index(None, "state", "lane"),
)

OF_MESSAGES = text("entity IS NOT NULL")

# One request or one stored object of a delivery: the staged rows [first_row, last_row], or the parts of a message.
# The entity (hashed, never in clear) is what a part speaks of: empty when its order does not matter, null in files.
# The share of a large delivery is what one sender works on; it is fixed when the delivery is cut.
parcels = Table(
    "parcels",
    metadata,
    _id(),
    Column("delivery_id", _Id, ForeignKey("deliveries.id"), nullable=False),
    Column("first_row", BigInteger, nullable=False),
    Column("last_row", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("key", String(64), nullable=False),
    Column("generation", Integer, nullable=False, default=0),
    Column("state", String(12), nullable=False),
    Column("epoch", BigInteger, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_at", Float, nullable=False, default=0.0),
    Column("ended_at", Float),
    Column("code", String(60)),
    Column("text", Text),
    Column("version", Text),
    Column("entity", String(40)),
    Column("order_at", Float, nullable=False, default=0.0),
    Column("reply", Text),
    Column("share", Integer, nullable=False, default=0, server_default="0"),
    Index(None, "delivery_id", "state", "first_row"),
    Index(None, "delivery_id", "first_row"),
    Index(None, "entity", "state", sqlite_where=OF_MESSAGES, postgresql_where=OF_MESSAGES),
)

# A message beside its intake: the number its sender is told, and its content, sealed. Everything else that names a
# customer stays inside the seal. It is marked when its mentions were written: an older version wrote none.
messages = Table(
    "messages",
    metadata,
    _id(),
    Column("intake_id", _Id, ForeignKey("intakes.id"), nullable=False, unique=True),
    Column("number", String(40), nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("belongs_to", String(40)),
    Column("caller", Text, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("file_name", Text),
    Column("marked", Boolean, nullable=False, server_default=false()),
    Index(None, "belongs_to"),
    Index(None, "file_name"),
    Index(None, "marked"),
)

# What the other side has last of an entity of a lane, as far as we know: whatever is older than that does not go.
# Also which requests have had the answer that comes as a message of its own.
standings = Table(
    "standings",
    metadata,
    Column("entity", String(40), primary_key=True),
    Column("order_at", Float, nullable=False),
    Column("state", Text, nullable=False, default=""),
)

# Rows and files refused: the first hundred of each, and how many per code.
problems = Table(
    "problems",
    metadata,
    _id(),
    Column("intake_id", _Id, ForeignKey("intakes.id"), nullable=False),
    Column("delivery_id", _Id, ForeignKey("deliveries.id")),
    Column("line", BigInteger),
    Column("field", Text),
    Column("code", String(60), nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "intake_id"),
)
problem_counts = Table(
    "problem_counts",
    metadata,
    Column("intake_id", _Id, ForeignKey("intakes.id"), primary_key=True),
    Column("code", String(60), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Every time something went over the wire, or may have. Append-only.
attempts = Table(
    "attempts",
    metadata,
    _id(),
    Column("parcel_id", _Id, ForeignKey("parcels.id"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("code", String(60)),
    Column("status", Integer),
    Column("detail", Text),
    Index(None, "parcel_id"),
)

# The right to work on a lane for a while.
leases = Table(
    "leases",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# How each target fares: its circuit breaker and the time it asked us to stay away until.
targets = Table(
    "targets",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("failures", Integer, nullable=False, default=0),
    Column("open_until", Float, nullable=False, default=0.0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("succeeded_at", Float, nullable=False, default=0.0),
    Column("back_at", Float, nullable=False, default=0.0),
    Column("permits_at", Float, nullable=False, default=0.0),
    Column("last_error", Text),
)

# Uploads of several parts that we began: noted before the first part, so that what a lost worker left is known as ours.
uploads = Table(
    "uploads",
    metadata,
    Column("store", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("begun_at", Float, nullable=False),
)

# What the messages name, as keyed hashes: a message is found by it without opening every seal. They go when its
# content goes.
mentions = Table(
    "mentions",
    metadata,
    Column("mark", String(32), primary_key=True),
    Column("intake_id", _Id, ForeignKey("intakes.id"), primary_key=True),
    Index(None, "intake_id"),
)

# The files a run was given, in order: a cleared run shows each under the number it had.
given_files = Table(
    "given_files",
    metadata,
    Column("dag_id", String(120), primary_key=True),
    Column("run_id", String(250), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("given_at", Float, nullable=False),
)

# What people are to be told, one row for each file or trouble and way of telling; a message gathers those not yet told.
# The key keeps one thing from being told twice; that of a trouble is free again once it is over.
notices = Table(
    "notices",
    metadata,
    _id(),
    Column("key", String(64), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("flow", String(120), nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("told_at", Float),
    UniqueConstraint("key", "channel"),
    Index(None, "told_at"),
)

# Acts of persons, with who and why. Append-only.
audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", String(60), nullable=False),
    Column("subject", Text, nullable=False),
    Column("why", Text, nullable=False),
)
