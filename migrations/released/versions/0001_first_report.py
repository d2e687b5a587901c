"""The tables that the first report needs."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001_first_report", None


def upgrade() -> None:
    op.create_table(
        "collection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("last_added", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("alias", name=op.f("uq_collection_alias")),
    )
    op.create_table(
        "feed_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("tlp", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_account")),
        sa.UniqueConstraint("username", name=op.f("uq_feed_account_username")),
    )
    op.create_table(
        "object_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("spec_version", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object_version")),
        sa.UniqueConstraint("stix_id", "version", name=op.f("uq_object_version_stix_id")),
    )
    op.create_table(
        "poll",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("collection_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("first_added", sa.BigInteger(), nullable=True),
        sa.Column("last_added", sa.BigInteger(), nullable=True),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poll")),
    )
    op.create_index(op.f("ix_poll_at"), "poll", ["at"])

    op.create_table(
        "entry",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("date_added", sa.BigInteger(), nullable=False),
        sa.Column("object_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("tlp", sa.Integer(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("last", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=op.f("fk_entry_collection_id_collection")),
        sa.ForeignKeyConstraint(
            ["object_version_id"], ["object_version.id"], name=op.f("fk_entry_object_version_id_object_version")
        ),
        sa.PrimaryKeyConstraint("collection_id", "date_added", name=op.f("pk_entry")),
        sa.UniqueConstraint("collection_id", "object_version_id", name=op.f("uq_entry_collection_id")),
    )
    op.create_index("ix_entry_object", "entry", ["collection_id", "stix_id", "date_added"])
    op.create_index(op.f("ix_entry_object_version_id"), "entry", ["object_version_id"])

    op.create_table(
        "feed_grant",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("can_read", sa.Boolean(), nullable=False),
        sa.Column("can_write", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["feed_account.id"], name=op.f("fk_feed_grant_account_id_feed_account")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_feed_grant_collection_id_collection")
        ),
        sa.PrimaryKeyConstraint("account_id", "collection_id", name=op.f("pk_feed_grant")),
    )
    op.create_table(
        "feed_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["feed_account.id"], name=op.f("fk_feed_key_account_id_feed_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_feed_key_key_hash")),
    )
    op.create_index(op.f("ix_feed_key_account_id"), "feed_key", ["account_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_feed_key_account_id"), table_name="feed_key")

    op.drop_table("feed_key")
    op.drop_table("feed_grant")
    op.drop_index(op.f("ix_entry_object_version_id"), table_name="entry")
    op.drop_index("ix_entry_object", table_name="entry")

    op.drop_table("entry")
    op.drop_index(op.f("ix_poll_at"), table_name="poll")

    op.drop_table("poll")
    op.drop_table("object_version")
    op.drop_table("feed_account")
    op.drop_table("collection")
