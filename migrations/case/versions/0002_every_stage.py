"""Stages, clocks of a case, drafts, attachments, talk with authorities, mail, webhooks, emergency codes, added rows."""

from datetime import UTC, datetime, time, timedelta, timezone

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002_every_stage", "0001_first_report"


def upgrade() -> None:
    with op.batch_alter_table("incident_case") as table:
        for name in ("closed_at", "disowned_at"):
            table.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("unconfirmed", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("for_statistics", sa.Boolean(), nullable=False, server_default=sa.true()))
    _index_where("ix_incident_case_unconfirmed", "incident_case", "opened_at", "unconfirmed")
    with op.batch_alter_table("edition") as table:
        table.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("seq", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("proposal", sa.Column("circles", sa.JSON(), nullable=False, server_default="[]"))
    _circles_of_texts()
    with op.batch_alter_table("edition_object") as table:
        table.add_column(sa.Column("retired", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("report_version") as table:
        table.add_column(sa.Column("changed", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("taken_by_id", sa.Uuid(), nullable=True))
        table.create_foreign_key(op.f("fk_report_version_taken_by_id_person"), "person", ["taken_by_id"], ["id"])
        table.create_index(op.f("ix_report_version_received_at"), ["received_at"])
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("received_by_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("reference", sa.String(), nullable=True))
        table.create_foreign_key(op.f("fk_delivery_received_by_id_person"), "person", ["received_by_id"], ["id"])
    _clocks_of_cases()
    _drafts_and_attachments()
    _talk_and_mail()
    _the_rest()


def _circles_of_texts() -> None:
    """Until now all editions of a case were opened at once, before any text about it."""
    edition = sa.table("edition", sa.column("case_id", sa.Uuid()), sa.column("kind", sa.String()))
    proposal = sa.table(
        "proposal",
        sa.column("case_id", sa.Uuid()),
        sa.column("state", sa.String()),
        sa.column("circles", sa.JSON()),
    )
    bind = op.get_bind()
    for case_id in bind.scalars(sa.select(proposal.c.case_id).where(proposal.c.state == "released").distinct()).all():
        kinds = bind.scalars(sa.select(edition.c.kind).where(edition.c.case_id == case_id).order_by(edition.c.kind))
        of_case = (proposal.c.case_id == case_id, proposal.c.state == "released")
        bind.execute(sa.update(proposal).where(*of_case).values(circles=list(kinds)))


def _clocks_of_cases() -> None:
    """A clock belonged to a version; until now each case had one."""
    op.execute(
        "CREATE TABLE kept_deadline AS SELECT d.id, v.case_id, d.regime, d.stage, d.starts_at, d.due_at, d.due_date"
        " FROM deadline AS d JOIN report_version AS v ON v.id = d.report_version_id"
    )
    op.drop_table("deadline")
    op.create_table(
        "deadline",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("regime", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("warn_date", sa.Date(), nullable=True),
        sa.Column("target_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("met_by", sa.String(), nullable=False),
        sa.Column("runs_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extended_to", sa.Date(), nullable=True),
        sa.Column("extended_by", sa.String(), nullable=True),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned", sa.Integer(), nullable=False),
        *_references("deadline", case_id="incident_case"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline")),
        sa.UniqueConstraint("case_id", "regime", "stage", name=op.f("uq_deadline_case_id")),
    )
    op.create_index(op.f("ix_deadline_runs_out_at"), "deadline", ["runs_out_at"])
    op.execute(
        "INSERT INTO deadline (id, case_id, regime, stage, starts_at, due_at, due_date, met_by, warned)"
        " SELECT id, case_id, regime, stage, starts_at, due_at, due_date, 'kakuhou', 0 FROM kept_deadline"
    )
    op.drop_table("kept_deadline")
    _ends_of_clocks()


def _ends_of_clocks() -> None:
    """A day lasts to its end in Japan."""
    columns = (
        sa.column("id", sa.Uuid()),
        sa.column("due_at", sa.DateTime(timezone=True)),
        sa.column("due_date", sa.Date()),
    )
    deadline = sa.table("deadline", *columns, sa.column("runs_out_at", sa.DateTime(timezone=True)))
    bind = op.get_bind()
    for row in bind.execute(sa.select(*columns).select_from(deadline)).all():
        end = row.due_at
        if row.due_date is not None:
            end = datetime.combine(row.due_date, time.max, timezone(timedelta(hours=9))).astimezone(UTC)
        bind.execute(sa.update(deadline).where(deadline.c.id == row.id).values(runs_out_at=end))


def _drafts_and_attachments() -> None:
    op.create_table(
        "draft",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("machine", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sealed_typed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        *_references("draft", organization_id="organization", person_id="person", case_id="incident_case"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
    )
    for name in ("organization_id", "case_id", "updated_at"):
        op.create_index(op.f(f"ix_draft_{name}"), "draft", [name])
    op.create_table(
        "attachment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=True),
        sa.Column("report_version_id", sa.Uuid(), nullable=True),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("sealed_name", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_text", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        *_references(
            "attachment", organization_id="organization", draft_id="draft", report_version_id="report_version"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    for name in ("draft_id", "report_version_id"):
        op.create_index(op.f(f"ix_attachment_{name}"), "attachment", [name])
    _index_where("ix_attachment_waiting", "attachment", "organization_id", "report_version_id IS NULL")


def _talk_and_mail() -> None:
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("from_reporter", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_text", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *_references("message", case_id="incident_case", person_id="person"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
    )
    op.create_index(op.f("ix_message_case_id"), "message", ["case_id"])
    op.create_table(
        "letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("natural_key", sa.String(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_address", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        *_references("letter", case_id="incident_case"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
        sa.UniqueConstraint("natural_key", name=op.f("uq_letter_natural_key")),
    )
    op.create_index(op.f("ix_letter_case_id"), "letter", ["case_id"])
    _index_where("ix_letter_unsent", "letter", "at", "sent_at IS NULL")
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("sealed_url", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        *_references("webhook", organization_id="organization", person_id="person", key_id="api_key"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(op.f("ix_webhook_organization_id"), "webhook", ["organization_id"])
    op.create_table(
        "knock",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        *_references("knock", webhook_id="webhook", case_id="incident_case"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knock")),
    )
    op.create_index("ix_knock_webhook_case", "knock", ["webhook_id", "case_id", "at"])


def _the_rest() -> None:
    op.create_table(
        "emergency_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("issued_by_id", sa.Uuid(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        *_references("emergency_code", organization_id="organization", issued_by_id="person"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_emergency_code_code_hash")),
    )
    op.create_index(op.f("ix_emergency_code_organization_id"), "emergency_code", ["organization_id"])
    op.create_table(
        "added_row",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("row_id", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("added_by_id", sa.Uuid(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        *_references("added_row", added_by_id="person"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_added_row")),
        sa.UniqueConstraint("kind", "row_id", name=op.f("uq_added_row_kind")),
    )


def _references(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"))
        for column, other in columns.items()
    ]


def _index_where(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_index("ix_incident_case_unconfirmed", "incident_case")
    for table in ("added_row", "emergency_code", "knock", "webhook", "letter", "message", "attachment", "draft"):
        op.drop_table(table)
    _clocks_of_versions()
    with op.batch_alter_table("delivery") as table:
        table.drop_constraint(op.f("fk_delivery_received_by_id_person"), type_="foreignkey")
        for name in ("reference", "received_by_id", "received_at"):
            table.drop_column(name)
    with op.batch_alter_table("report_version") as table:
        table.drop_index(op.f("ix_report_version_received_at"))
        table.drop_constraint(op.f("fk_report_version_taken_by_id_person"), type_="foreignkey")
        table.drop_column("taken_by_id")
        table.drop_column("changed")
    with op.batch_alter_table("edition_object") as table:
        table.drop_column("retired")
    op.drop_column("proposal", "circles")
    with op.batch_alter_table("edition") as table:
        table.drop_column("seq")
        table.drop_column("withdrawn_at")
    with op.batch_alter_table("incident_case") as table:
        for name in ("for_statistics", "unconfirmed", "disowned_at", "closed_at"):
            table.drop_column(name)


def _clocks_of_versions() -> None:
    """Each clock goes back to the first version of its case."""
    op.execute(
        "CREATE TABLE kept_deadline AS"
        " SELECT d.id, v.id AS report_version_id, d.regime, d.stage, d.starts_at, d.due_at, d.due_date"
        " FROM deadline AS d JOIN report_version AS v ON v.case_id = d.case_id AND v.seq = 1"
    )
    op.drop_table("deadline")
    op.create_table(
        "deadline",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report_version_id", sa.Uuid(), nullable=False),
        sa.Column("regime", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        *_references("deadline", report_version_id="report_version"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline")),
    )
    op.create_index(op.f("ix_deadline_report_version_id"), "deadline", ["report_version_id"])
    op.create_index(op.f("ix_deadline_due_date"), "deadline", ["due_date"])
    op.execute(
        "INSERT INTO deadline (id, report_version_id, regime, stage, starts_at, due_at, due_date)"
        " SELECT id, report_version_id, regime, stage, starts_at, due_at, due_date FROM kept_deadline"
    )
    op.drop_table("kept_deadline")
