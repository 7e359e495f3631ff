"""`caimi keys`: make, import, export, rename, list, show and bind keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli import completing
from caimi.cli.options import ConfigOption, JsonOption, ask_passphrase, guarded
from caimi.cli.output import facts, print_json, say, table

if TYPE_CHECKING:
    from caimi.config import Config
    from caimi.ledgers.port import LedgerId

app = typer.Typer(
    help="Make, import, export, list and bind keys (encrypted files; never plain text).",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="A short name, such as alice.")]
KeyArgument = Annotated[str, typer.Argument(help="Its name.", autocompletion=completing.keys)]
ChosenArgument = Annotated[
    str | None,
    typer.Argument(
        help="Its name; default: the configured or the only key.", autocompletion=completing.keys
    ),
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        "-l",
        help="A ledger that does not take the name's other keys.",
        autocompletion=completing.ledgers,
    ),
]


@app.command("new")
def new(
    name: NameArgument,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account key and a package-signing key; with --ledger one more key of a name's.

    Ledgers in caimi.toml that do not take such an account key get keys of their own.

    Example: [bold]caimi keys new alice[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.composition.ledgers import family_of
    from caimi.config import load_config
    from caimi.ledgers.port import LedgerId

    def make() -> None:
        settings = load_config(config)
        keyring = Keyring(settings, ask_passphrase)
        if ledger is None:
            keyring.new(name)
            _told(as_json, name, keyring.account(name))
            return
        section = settings.ledger(ledger)
        keyring.add(name, family_of(section).keys)
        _told(as_json, name, _accounts(settings, name)[LedgerId(section.id)])

    guarded(as_json, make)


@app.command("import")
def import_(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="A key's file, as its ledger's tools write it.")],
    opened_by: Annotated[
        Path | None,
        typer.Option(help="File with that file's passphrase; default: the same as for your keys."),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an account key from a file (a V3 keystore, or what --ledger has), under a new name.

    With --ledger it is one more key of a name that there is.

    Example: [bold]caimi keys import alice UTC--2026-01-01T00-00-00Z--0123.json[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.composition.ledgers import family_of
    from caimi.config import load_config
    from caimi.credentials import read_secret_file
    from caimi.keystore import LocalSigner
    from caimi.ledgers.port import LedgerId

    def take() -> None:
        settings = load_config(config)
        keyring = Keyring(settings, ask_passphrase)
        passphrase = (
            keyring.passphrase(f"Passphrase for {file}")
            if opened_by is None
            else read_secret_file(opened_by)
        )
        if ledger is None:
            keyring.new(name, LocalSigner.load(file, passphrase))
            _told(as_json, name, keyring.account(name))
            return
        section = settings.ledger(ledger)
        kind = family_of(section).keys
        keyring.add(name, kind, kind.load(file, passphrase))
        _told(as_json, name, _accounts(settings, name)[LedgerId(section.id)])

    guarded(as_json, take)


@app.command()
def export(
    name: KeyArgument,
    file: Annotated[Path, typer.Argument(help="A new file for it, for its owner alone.")],
    opened_by: Annotated[
        Path | None,
        typer.Option(help="File with a passphrase for that file; default: the same as for yours."),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an account key to a new file (a V3 keystore, or what --ledger has), never plain.

    Example: [bold]caimi keys export alice alice-wallet.json[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.composition.ledgers import family_of
    from caimi.config import load_config
    from caimi.credentials import read_secret_file
    from caimi.keystore import KEYSTORES

    def write() -> None:
        settings = load_config(config)
        kind = KEYSTORES if ledger is None else family_of(settings.ledger(ledger)).keys
        secret = None if opened_by is None else read_secret_file(opened_by)
        Keyring(settings, ask_passphrase).export(name, kind, file, secret)
        if as_json:
            print_json({"ok": True, "name": name, "file": file})
        else:
            say("Key [bold]{}[/bold] is in {} too, encrypted.", name, file)

    guarded(as_json, write)


@app.command()
def rename(
    name: KeyArgument,
    new_name: Annotated[str, typer.Argument(help="Its new name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a key, with all that is kept under its name, another name. No passphrase is asked for.

    Example: [bold]caimi keys rename alice seller[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.config import load_config

    def work() -> None:
        settings = load_config(config)
        Keyring(settings).rename(name, new_name)
        stale = settings.keys.default == name
        if as_json:
            print_json({"ok": True, "name": new_name, "was": name, "default_names_it": stale})
            return
        say("Key [bold]{}[/bold] is now [bold]{}[/bold].", name, new_name)
        if stale:
            say('Next: under \\[keys] in caimi.toml, write default = "{}".', new_name)

    guarded(as_json, work)


@app.command("list")
def listed(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the keys there are, without opening them.

    Example: [bold]caimi keys list[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.config import load_config

    def show() -> None:
        keyring = Keyring(load_config(config))
        keys = [(name, keyring.account(name)) for name in keyring.names()]
        if as_json:
            print_json({"ok": True, "keys": [{"name": name, "account": acc} for name, acc in keys]})
        else:
            table("Keys", ("name", "account"), keys)

    guarded(as_json, show)


@app.command("show")
def shown(
    name: ChosenArgument = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show a name's account on every configured ledger, and which of them it has bound together.

    Example: [bold]caimi keys show alice[/bold]
    """
    from caimi.client.bindings import bound_with
    from caimi.client.keyring import Keyring
    from caimi.composition.keys import codecs_of
    from caimi.config import load_config
    from caimi.ledgers.port import account_named

    def show() -> None:
        settings = load_config(config)
        keyring = Keyring(settings)
        codecs = codecs_of([*settings.ledgers, *settings.places])
        chosen = keyring.chosen(name)
        accounts, bindings = _accounts(settings, chosen), keyring.bindings(chosen)
        rows = []
        for ledger, text in accounts.items():
            me = None if text is None else account_named(text, codecs[ledger])
            others = frozenset() if me is None else bound_with(me, bindings, codecs) - {me}
            rows.append((ledger, text, len(others)))
        own = keyring.account(chosen)
        if as_json:
            told = [{"ledger": on, "account": who, "bound": with_} for on, who, with_ in rows]
            print_json({"ok": True, "name": chosen, "account": own, "accounts": told})
            return
        facts(f"Key {chosen}", {"account": own})
        told_rows = [(on, who or "no key", with_ or "") for on, who, with_ in rows]
        table("Accounts", ("ledger", "account", "bound with others"), told_rows)

    guarded(as_json, show)


@app.command()
def bind(
    name: ChosenArgument = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Sign with a name's key of every configured ledger that these accounts are one person's.

    The statements are kept beside the keys, for whoever is to know; they are no secret.

    Example: [bold]caimi keys bind alice[/bold]
    """
    import time

    from caimi.client.bindings import bind as bind_wallets
    from caimi.client.keyring import Keyring
    from caimi.composition.keys import codecs_of
    from caimi.config import load_config
    from caimi.errors.operations import UsageError

    def sign() -> None:
        settings = load_config(config)
        keyring = Keyring(settings, ask_passphrase)
        identity = keyring.open(name)
        wallets = [
            codec.wallet(identity.signer_on(ledger))
            for ledger, codec in codecs_of(settings.ledgers).items()
            if identity.holds(ledger)
        ]
        if len(wallets) < 2:
            raise UsageError(f"{identity.name} has no accounts on two configured ledgers.")
        now = int(time.time())
        first, *others = wallets
        bindings = [bind_wallets(first, other, now) for other in others]
        file = keyring.save_bindings(identity.name, bindings)
        accounts = [wallet.name for wallet in wallets]
        if as_json:
            print_json({"ok": True, "name": identity.name, "file": file, "accounts": accounts})
        else:
            say("Bound {} in {}.", ", ".join(accounts), file)

    guarded(as_json, sign)


def _accounts(settings: Config, name: str) -> dict[LedgerId, str | None]:
    """Give the CAIP-10 id of a name's account on each ledger; None where it has no key."""
    from caimi.client.keyring import Keyring
    from caimi.composition.keys import codecs_of
    from caimi.errors.operations import KeyMissing
    from caimi.ledgers.port import name_of

    keyring = Keyring(settings)
    keyring.account(name)  # a name that is none has no accounts to show
    found: dict[LedgerId, str | None] = {}
    for ledger, codec in codecs_of([*settings.ledgers, *settings.places]).items():
        try:
            found[ledger] = name_of(keyring.account_on(ledger, name), codec)
        except KeyMissing:
            found[ledger] = None
    return found


def _told(as_json: bool, name: str, account: str | None) -> None:
    if as_json:
        print_json({"ok": True, "name": name, "account": account})
    else:
        say("Key [bold]{}[/bold] is account {}.", name, account)
