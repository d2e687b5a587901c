"""Lanes, sealed pages, submissions, sandboxes and what is known of clients. Stop the doors and workers for it."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002_taxii_door", "0001_first_report"


def upgrade() -> None:
    with op.batch_alter_table("collection") as table:
        table.add_column(sa.Column("unsealed", sa.Boolean(), nullable=False, server_default=sa.true()))
        table.add_column(sa.Column("news", sa.JSON(), nullable=False, server_default="[0, 0, 0, 0, 0]"))
        table.add_column(sa.Column("ceiling", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("owner_id", sa.Uuid(), nullable=True))
        table.create_index(op.f("ix_collection_owner_id"), ["owner_id"])
    _news()
    with op.batch_alter_table("feed_grant") as table:
        table.add_column(sa.Column("quarantined", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("feed_account") as table:
        table.add_column(sa.Column("cleared_tlp", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("cleared_until", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE feed_account SET cleared_tlp = tlp")
    with op.batch_alter_table("object_version") as table:
        table.add_column(sa.Column("space", sa.String(), nullable=False, server_default=""))
        table.drop_constraint(op.f("uq_object_version_stix_id"), type_="unique")
        table.create_unique_constraint(op.f("uq_object_version_space"), ["space", "stix_id", "version"])
        table.create_index("ix_object_version_version", ["version"])
    _entries_into_lanes()
    _new_tables()


def _news() -> None:
    """Whatever its rank, the last entry may be news to everybody: each reader looks once more than needed."""
    collection = sa.table("collection", sa.column("last_added"), sa.column("news", sa.JSON()))
    make = sa.func.json_array if op.get_bind().dialect.name == "sqlite" else sa.func.json_build_array
    op.execute(sa.update(collection).values(news=make(*[collection.c.last_added] * 5, type_=sa.JSON())))


def _entries_into_lanes() -> None:
    with op.batch_alter_table("entry") as table:
        table.add_column(sa.Column("lane", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("first_upto", sa.Integer(), nullable=False, server_default="4"))
        table.add_column(sa.Column("contributor_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("submission_id", sa.Uuid(), nullable=True))
    # The rank of an object is its newest version's or its own, whichever is stricter.
    op.execute(
        "UPDATE entry SET lane = 4 * (SELECT max(n.tlp) FROM entry AS n WHERE n.collection_id = entry.collection_id"
        " AND n.stix_id = entry.stix_id AND (n.date_added = entry.date_added OR n.last))"
        " + CASE WHEN first THEN 1 ELSE 0 END + CASE WHEN last THEN 2 ELSE 0 END"
    )
    with op.batch_alter_table("entry") as table:
        table.drop_column("first")
        table.drop_column("last")
        table.create_index("ix_entry_lane", ["collection_id", "lane", "date_added"])
        table.create_index("ix_entry_type_lane", ["collection_id", "type", "lane", "date_added"])
        table.create_index("ix_entry_contributor", ["contributor_id", "collection_id", "lane"])
        table.create_index(op.f("ix_entry_submission_id"), ["submission_id"])


def _new_tables() -> None:
    op.create_table(
        "sealed_page",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("face", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        sa.Column("zstd", sa.LargeBinary(), nullable=False),
        sa.Column("deflate", sa.LargeBinary(), nullable=False),
        sa.Column("dates", sa.LargeBinary(), nullable=False),
        sa.Column("ends", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_sealed_page_collection_id_collection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_page")),
    )
    op.create_index("ix_sealed_page_range", "sealed_page", ["collection_id", "face", "last", "rank", "upto"])
    if op.get_bind().dialect.name == "postgresql":  # Packed already.
        for column in ("zstd", "deflate", "dates", "ends"):
            op.execute(f"ALTER TABLE sealed_page ALTER COLUMN {column} SET STORAGE EXTERNAL")
    op.create_table(
        "submission",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["feed_account.id"], name=op.f("fk_submission_account_id_feed_account")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_submission_collection_id_collection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
    )
    op.create_index(op.f("ix_submission_account_id"), "submission", ["account_id"])
    op.create_index(op.f("ix_submission_completed_at"), "submission", ["completed_at"])
    op.create_table(
        "contributor",
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["feed_account.id"], name=op.f("fk_contributor_account_id_feed_account")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_contributor_collection_id_collection")
        ),
        sa.PrimaryKeyConstraint("stix_id", name=op.f("pk_contributor")),
    )
    op.create_table(
        "client_habit",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.Column("empty_polls", sa.Integer(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("future", sa.Integer(), nullable=False),
        sa.Column("furthest_ahead_s", sa.Integer(), nullable=False),
        sa.Column("unknown_parameters", sa.Integer(), nullable=False),
        sa.Column("no_version", sa.Integer(), nullable=False),
        sa.Column("wrong_media", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "collection_id", name=op.f("pk_client_habit")),
    )


def downgrade() -> None:
    for name in ("client_habit", "contributor", "submission", "sealed_page"):
        op.drop_table(name)
    # What was never released has no place in the older schema.
    op.execute(
        "DELETE FROM entry WHERE lane >= 20 OR collection_id IN (SELECT id FROM collection WHERE owner_id IS NOT NULL)"
    )
    op.execute("DELETE FROM feed_grant WHERE collection_id IN (SELECT id FROM collection WHERE owner_id IS NOT NULL)")
    op.execute("DELETE FROM collection WHERE owner_id IS NOT NULL")
    op.execute("DELETE FROM object_version WHERE space <> ''")
    with op.batch_alter_table("entry") as table:
        table.add_column(sa.Column("first", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("last", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.drop_index(op.f("ix_entry_submission_id"))
        table.drop_index("ix_entry_contributor")
        table.drop_index("ix_entry_type_lane")
        table.drop_index("ix_entry_lane")
    op.execute("UPDATE entry SET first = (lane % 2 = 1), last = (lane % 4 >= 2)")
    with op.batch_alter_table("entry") as table:
        for name in ("lane", "first_upto", "contributor_id", "submission_id"):
            table.drop_column(name)
    with op.batch_alter_table("object_version") as table:
        table.drop_index("ix_object_version_version")
        table.drop_constraint(op.f("uq_object_version_space"), type_="unique")
        table.drop_column("space")
        table.create_unique_constraint(op.f("uq_object_version_stix_id"), ["stix_id", "version"])
    with op.batch_alter_table("feed_account") as table:
        table.drop_column("cleared_until")
        table.drop_column("cleared_tlp")
    with op.batch_alter_table("feed_grant") as table:
        table.drop_column("quarantined")
    with op.batch_alter_table("collection") as table:
        table.drop_index(op.f("ix_collection_owner_id"))
        for name in ("owner_id", "ceiling", "news", "unsealed"):
            table.drop_column(name)
