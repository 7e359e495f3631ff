"""`caimi certificates`: an organisation's authority, and certificates for its services."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caimi.cli.durations import seconds_of, span_of
from caimi.cli.options import JsonOption, ask_passphrase, guarded
from caimi.cli.output import facts, print_json, say
from caimi.cli.plans import PlanConsent, PlanOption, YesOption
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from cryptography import x509

app = typer.Typer(
    help="Certificates by which services know each other: TLS 1.3, signed by your own authority.",
    no_args_is_help=True,
)

LONGEST: Final = timedelta(days=3650)
OrganisationOption = Annotated[
    str, typer.Option("--organisation", help="Who runs it; the same in all its certificates.")
]
HostOption = Annotated[
    list[str] | None,
    typer.Option("--host", help="A host name or address at which others reach it; again."),
]
AuthorityOption = Annotated[
    Path, typer.Option("--authority", help="The directory of your organisation's authority.")
]


@app.command("authority")
def make_authority(
    organisation: Annotated[str, typer.Argument(help="Your organisation's name.")],
    directory: Annotated[Path, typer.Option("--directory", "-d", help="Where it is kept.")] = Path(
        "authority"
    ),
    as_json: JsonOption = False,
) -> None:
    """Make your organisation's authority. Its key is encrypted; keep it off the services' machines.

    Example: [bold]caimi certificates authority "Example Labs"[/bold]
    """
    from caimi.places import check_directory_place
    from caimi.tls.authority import AUTHORITY_CERTIFICATE, CertificateAuthority

    def work() -> None:
        check_directory_place(directory)
        passphrase = own_passphrase("New passphrase for the authority's key")
        made = CertificateAuthority.create(directory, organisation, passphrase)
        file = directory / AUTHORITY_CERTIFICATE
        told: dict[str, object] = {"certificate": file, **described(made.certificate)}
        if as_json:
            print_json({"ok": True, **told})
            return
        facts(f"The authority of {organisation}", listed(told))
        say("Give {} to the other organisations; they compare its fingerprint with you.", file)

    guarded(as_json, work)


@app.command()
def request(
    name: Annotated[str, typer.Argument(help="The service's name, such as relayer.")],
    organisation: OrganisationOption,
    host: HostOption = None,
    directory: Annotated[Path, typer.Option("--directory", "-d", help="Where to write.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make a service's TLS key, and the request that your authority signs. A key there is kept.

    Without --host the certificate is for calling others, as relayers and coordinators do.

    Example: [bold]caimi certificates request relayer --organisation "Example Labs"[/bold]
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    from caimi.names import check_name
    from caimi.places import check_directory_place, write_result
    from caimi.tls.authority import Wanted, check_host, make_request

    def work() -> None:
        check_name(name, "a service")
        check_directory_place(directory)
        wanted = Wanted(name, organisation, tuple(check_host(each) for each in host or ()))
        directory.mkdir(parents=True, exist_ok=True)
        key, file = directory / f"{name}.key", directory / f"{name}.csr"
        write_result(file, make_request(key, wanted).public_bytes(Encoding.PEM))
        if as_json:
            print_json({"ok": True, "key": key, "request": file})
            return
        facts(f"A request of {name}", {"key": key, "request": file})
        say("Next, where your authority is: [bold]caimi certificates sign {}[/bold]", file)

    guarded(as_json, work)


@app.command()
def sign(
    request: Annotated[Path, typer.Argument(help="The request, NAME.csr.")],
    authority: AuthorityOption = Path("authority"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; default: NAME.pem beside it.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="How many days it is valid; 397 unless given."),
    ] = None,
    lasts: Annotated[
        str | None,
        typer.Option("--lasts", help="The same as a duration, for a short one: 12h, 30m, 90s."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over the certificate that is there.")
    ] = False,
    plan: PlanOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a service asks for, and sign it.

    Example: [bold]caimi certificates sign relayer.csr --authority authority[/bold]
    """
    from caimi.errors.certificates import CertificateExists
    from caimi.places import check_file_place, write_result
    from caimi.tls.authority import CertificateAuthority, read_wanted
    from caimi.tls.certificates import to_pem

    def work() -> None:
        file = output or request.with_suffix(".pem")
        check_file_place(file)
        valid = validity(days, lasts)
        asked = read_request(request)
        wanted = read_wanted(asked)
        said = {
            "for": f"{wanted.name} of {wanted.organisation}",
            "hosts": ", ".join(wanted.hosts) or "none: it calls others, and serves nobody",
            "lasts": span_of(int(valid.total_seconds())),
            "writes": file,
        }
        if not as_json:
            facts("To be signed", said)
        consent = PlanConsent(plan, yes, as_json)
        if consent.ends_with_plan(plan=said):
            return
        if file.exists() and not replace:
            raise CertificateExists(f"There is a certificate already: {file}.")
        consent.ask()
        passphrase = own_passphrase("Passphrase of the authority's key")
        signed = CertificateAuthority.load(authority, passphrase).sign(asked, valid)
        write_result(file, to_pem([signed]).encode())
        told: dict[str, object] = {"certificate": file, **described(signed)}
        if as_json:
            print_json({"ok": True, **told})
        else:
            facts("Signed", listed(told))

    guarded(as_json, work)


@app.command("show")
def show_certificates(
    file: Annotated[Path, typer.Argument(help="A file of certificates, or a request.")],
    as_json: JsonOption = False,
) -> None:
    """Show whose certificates are in a file, for what, until when, and their fingerprints.

    Example: [bold]caimi certificates show node-1/tls.pem[/bold]
    """
    from caimi.tls.authority import read_wanted
    from caimi.tls.certificates import read_certificates

    def work() -> None:
        if file.suffix == ".csr":
            wanted = read_wanted(read_request(file))
            found: list[dict[str, object]] = [
                {
                    "name": wanted.name,
                    "organisation": wanted.organisation,
                    "hosts": list(wanted.hosts),
                    "kind": "request",
                }
            ]
        else:
            found = [described(each) for each in read_certificates(file)]
        if as_json:
            print_json({"ok": True, "certificates": found})
            return
        for each in found:
            facts(str(file), listed(each))

    guarded(as_json, work)


def validity(days: int | None, lasts: str | None) -> timedelta:
    """Give how long a certificate is to be valid.

    Raises:
        UsageError: it is said twice, or is no duration, or too long.
    """
    from caimi.tls.authority import SERVICE_LASTS

    if lasts is None:
        return SERVICE_LASTS if days is None else timedelta(days=days)
    if days is not None:
        raise UsageError("Say how long it is valid with --days or with --lasts, not with both.")
    found = timedelta(seconds=seconds_of(lasts))
    if found > LONGEST:
        raise UsageError(f"{lasts} is longer than {span_of(int(LONGEST.total_seconds()))}.")
    return found


def own_passphrase(prompt: str) -> bytes:
    """Give the passphrase that the environment gives or somebody types; raises `KeyLocked`."""
    from caimi.credentials import given_passphrase

    given = given_passphrase()
    return given if given is not None else ask_passphrase(prompt).encode()


def described(certificate: x509.Certificate) -> dict[str, object]:
    """Tell of a certificate what people compare."""
    from caimi.tls.certificates import hosts_of, is_authority, named

    owner = named(certificate)
    return {
        "name": owner.name,
        "organisation": owner.organisation,
        "hosts": hosts_of(certificate),
        "kind": "authority" if is_authority(certificate) else "service",
        "expires": f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        "fingerprint": owner.fingerprint,
    }


def listed(pairs: dict[str, object]) -> dict[str, object]:
    """Give facts with lists as people write them."""
    return {k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in pairs.items()}


def read_request(file: Path) -> x509.CertificateSigningRequest:
    """Read a request for a certificate; raises `RequestNotSigned`."""
    from caimi.errors.certificates import RequestNotSigned
    from caimi.tls.authority import MAX_REQUEST_BYTES, parse_request

    try:
        with file.open("rb") as opened:
            return parse_request(opened.read(MAX_REQUEST_BYTES + 1))
    except OSError as error:
        raise RequestNotSigned(f"{file} cannot be read: {error.strerror}.") from error
