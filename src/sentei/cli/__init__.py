"""The command line: the same pipeline on a laptop, and what is needed around it."""

import os
import sys

import click

from sentei import __version__
from sentei.errors import ArtifactError, SenteiError


class Commands(click.Group):
    """Loads a command's module when it is used, so that help is quick, and says errors in one place."""

    sources = {  # noqa: RUF012  # click's own attribute style; never changed
        "run": "sentei.cli.run:run",
        "plan": "sentei.cli.plan:plan",
        "compile": "sentei.cli.compile:compile_package",
        "submit": "sentei.cli.submit:submit",
        "follow": "sentei.cli.submit:follow",
        "schedule": "sentei.cli.schedule:schedule",
        "schedules": "sentei.cli.schedule:schedules",
        "pause": "sentei.cli.schedule:pause",
        "resume": "sentei.cli.schedule:resume",
        "delete": "sentei.cli.schedule:delete",
        "verify": "sentei.cli.verify:verify",
        "monitor": "sentei.cli.monitor:monitor",
        "keygen": "sentei.cli.keygen:keygen",
        "ledger": "sentei.cli.ledger:ledger",
        "data": "sentei.cli.data:data",
        "recipe": "sentei.cli.recipe:recipe",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which they are used."""
        return list(self.sources)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in self.sources:
            return None
        from importlib import import_module

        module, _, name = self.sources[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sentei")
def cli() -> None:
    """Make a neural network smaller, and promote it only with a proof.

    A recipe (YAML) names the data, the network, a family of smaller variants and a claim, such as "at most 1 point
    of accuracy is lost, with 95 % confidence". A run makes every variant, tests the claim on rows that nothing else has
    seen, and registers the smallest certified variant in MLflow.

    \b
      sentei run fashion-mnist          a shipped recipe, end to end, on this machine
      sentei plan my-recipe.yaml        what a run would do and cost, in seconds
      sentei submit my-recipe.yaml      the same on a Kubernetes cluster, followed to its end
      sentei schedule my-recipe.yaml    again and again, by a cron line
      sentei verify released/...        check a released bundle: every digest, count and p-value
      sentei monitor released/... ROWS  feed production rows; revoke the certificate when it does not hold any more

    Exit codes: 0 done (a refusal is a result, too), 2 recipe or command, 3 files, 4 network, 5 data, 6 certificate,
    7 service, 8 ledger; 10 a monitored certificate is revoked, or
    a version that was tested again is demoted.
    """  # noqa: D301  # click asks for the control character itself, which keeps the lines below it as they are


def main() -> None:
    """Run the command line; an error that a person can act on is one message and an exit code."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has enough; flush into nothing
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"{type(error).__name__}: {where}{error.strerror or error}; choose another path", err=True)
        sys.exit(ArtifactError.exit_code)
    except SenteiError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(error.exit_code)
