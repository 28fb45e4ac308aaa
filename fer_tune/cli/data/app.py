"""The commands of `fer-tune data`."""

from __future__ import annotations

import typer

from fer_tune.cli.data import auditing, importing, known

app = typer.Typer(help="Import and audit pictures.", no_args_is_help=True)
app.command("import")(importing.import_)
app.command("audit")(auditing.audit)
app.command("review")(auditing.review)
app.command("formats")(known.formats)
