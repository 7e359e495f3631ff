"""Errors of configuration, keys and the operations a user starts (letter C)."""

from __future__ import annotations

from caimi.errors.base import CaimiError


class ConfigMissing(CaimiError):
    """There is no configuration file where one is needed."""

    code = "CAIMI-C001"
    why = (
        "Every command reads one caimi.toml, from --config, $CAIMI_CONFIG or the working directory."
    )
    next_step = "Run `caimi devnet up` for a local network, or `caimi init` for an empty file."


class ConfigInvalid(CaimiError):
    """The configuration file does not say what CAIMI needs to know."""

    code = "CAIMI-C002"
    why = "A field is missing, unknown or of the wrong type."
    next_step = "Correct the field named above; `caimi init` writes a commented example."


class UnknownLedger(CaimiError):
    """A ledger was named that the configuration does not list."""

    code = "CAIMI-C003"
    why = "CAIMI talks only to ledgers listed in caimi.toml."
    next_step = "Use one of the listed ledgers, or add a [[ledgers]] section."


class KeyMissing(CaimiError):
    """A key was named that is not in the key directory."""

    code = "CAIMI-C004"
    why = "Keys are files in the directory named by [keys] in caimi.toml."
    next_step = "Run `caimi keys list` to see the keys there are, or `caimi keys new NAME`."


class KeyExists(CaimiError):
    """A key of that name already exists."""

    code = "CAIMI-C005"
    why = "Overwriting a key would lose what it owns."
    next_step = "Choose another name."


class KeyLocked(CaimiError):
    """A key could not be opened."""

    code = "CAIMI-C006"
    why = "The passphrase is wrong, or the key file is damaged."
    next_step = (
        "Set CAIMI_PASSPHRASE, or CAIMI_PASSPHRASE_FILE or passphrase_file in caimi.toml to a file "
        "of mode 0600, or type it at the prompt."
    )


class JournalDamaged(CaimiError):
    """The journal cannot be read."""

    code = "CAIMI-C007"
    why = "The file is not a CAIMI journal, or it is damaged."
    next_step = (
        "Restore it from a backup, or set state in caimi.toml to a new directory: what was begun "
        "and not finished is then forgotten, so look first at what it did with `caimi history URI`."
    )


class JournalBusy(CaimiError):
    """Another process is carrying out the same operation."""

    code = "CAIMI-C008"
    why = "Two processes at one operation could pay twice."
    next_step = "Wait for the other process to end, then run the command again."


class NotForSale(CaimiError):
    """No licence of the model is offered on the paying ledger."""

    code = "CAIMI-C009"
    why = "The owner has set no price there, or the one who set it no longer owns the model."
    next_step = "Run `caimi show URI` to see where it is sold, or ask the owner to set a price."


class PriceAboveLimit(CaimiError):
    """The price is above what the buyer agreed to."""

    code = "CAIMI-C010"
    why = "The owner may change a price at any time."
    next_step = "Look at the new price with `caimi show URI`, then raise --max-price or leave it."


class AlreadyLicensed(CaimiError):
    """The buyer already holds a licence of this version."""

    code = "CAIMI-C011"
    why = "One licence of a version is all a consumer needs."
    next_step = "Run `caimi pull URI`: it needs nothing more."


class PurchaseRefunded(CaimiError):
    """A purchase did not take effect; the money came back."""

    code = "CAIMI-C012"
    why = "The home ledger refused it (price changed, version withdrawn), or time ran out."
    next_step = "Look at the price with `caimi show URI` and buy again."


class TransferRefunded(CaimiError):
    """A transfer did not take effect; the model is back with its sender."""

    code = "CAIMI-C013"
    why = "The destination refused it, or it was not delivered in time."
    next_step = "Check the recipient and the route, then transfer again."


class StillInFlight(CaimiError):
    """A packet has not ended yet."""

    code = "CAIMI-C014"
    why = "No relayer carried it within the waiting time. It ends by delivery or by refund."
    next_step = (
        "Run the same command again: it goes on waiting. See `caimi devnet status` for the relayer."
    )


class NotTheWay(CaimiError):
    """A model does not go from where it is to that ledger in one hop."""

    code = "CAIMI-C022"
    why = (
        "A model goes back over the ledgers it came by, visits none of them twice, and is at most "
        "four hops from home."
    )
    next_step = "Look where it is with `caimi show URI`, and transfer it back one hop."


class NotTheOwner(CaimiError):
    """Only the owner of a model may do this."""

    code = "CAIMI-C015"
    why = "The key in use does not own the model on that ledger."
    next_step = "Choose the owner's key with --key, or ask the owner."


class VersionTaken(CaimiError):
    """The version is already published with other content."""

    code = "CAIMI-C016"
    why = "A version is immutable: its manifest is on the ledger."
    next_step = "Publish under a new version."


class ManifestMismatch(CaimiError):
    """What the store gave is not what the ledger says."""

    code = "CAIMI-C017"
    why = "The manifest in the store belongs to another model or version than the one asked for."
    next_step = "Use another store, and tell the publisher."


class UnknownSelector(CaimiError):
    """The model has no such version or alias."""

    code = "CAIMI-C018"
    why = "The text after @ must be a published version or a set alias."
    next_step = "Run `caimi show URI` to see its versions, and `caimi history URI` its aliases."


class NoRoute(CaimiError):
    """No route leads from one ledger to the other."""

    code = "CAIMI-C019"
    why = "The gateways have no light clients of each other."
    next_step = "Choose another ledger; `caimi committee show` lists the routes there are."


class UsageError(CaimiError):
    """A command was given arguments that do not fit together."""

    code = "CAIMI-C020"
    why = "The words of the command do not fit together, or name what is not there."
    next_step = "Run the command with --help for an example."


class ConfigExists(CaimiError):
    """There is already a configuration file."""

    code = "CAIMI-C021"
    why = "Overwriting it would lose what it says."
    next_step = (
        "Edit the file, or choose another directory; with --force it is kept under another name."
    )


class RemoteSignerFailed(CaimiError):
    """A remote signer gave no signature."""

    code = "CAIMI-C040"
    why = "The service that keeps the key is down, refuses, or may not be trusted with the token."
    next_step = "Look at the service's log, its token and its policy."


class RemoteSignatureInvalid(CaimiError):
    """A remote signer answered with something other than the account's signature."""

    code = "CAIMI-C041"
    why = "It keeps another key, hashes what it is given, or is not what it is taken for."
    next_step = (
        "It must sign the 32 bytes as they are, with the key of the account in the settings."
    )


class ConfigUnreadable(CaimiError):
    """There is a configuration file, and it cannot be read."""

    code = "CAIMI-C050"
    why = "It is not a plain file, this user may not read it, or the disk failed."
    next_step = "Look at it with `ls -ld`, or name another file with --config."


class OutputUnusable(CaimiError):
    """A place where a command should write its result cannot be written to."""

    code = "CAIMI-C051"
    why = "Places are tried before anything is paid, asked or fetched: nothing was done yet."
    next_step = "Make the directory, or name a place that can be written to."


class ResultElsewhere(CaimiError):
    """A result could not be written where it was wanted; it was kept in another place."""

    code = "CAIMI-C052"
    why = "The place could be written to when the command began, and not when it ended."
    next_step = "Move it from where it is now; running the command again could cost again."


class LicensedElsewhere(CaimiError):
    """The key has a licence of the version on another ledger, or is buying one there."""

    code = "CAIMI-C053"
    why = "One licence opens a version wherever it was paid; a second one only costs more."
    next_step = "Run `caimi pull URI`: it needs nothing more. To pay all the same, add --again."


class BegunOtherwise(CaimiError):
    """An interrupted command was begun with terms that the present ones do not allow."""

    code = "CAIMI-C054"
    why = "Its transaction is signed and may be on its way: other terms would not change it."
    next_step = "Run the command with the terms it was begun with: it finishes, and does it once."


class JournalUnwritable(CaimiError):
    """The journal cannot be written, so nothing is begun."""

    code = "CAIMI-C055"
    why = "What is decided is written down before it is done, or a crash could make it twice."
    next_step = "Make room, or let this user write to the directory that state in caimi.toml names."


class UnknownFamily(CaimiError):
    """A ledger is of a family that is not installed."""

    code = "CAIMI-C057"
    why = "What CAIMI knows of a kind of ledger comes from an installed distribution."
    next_step = "Install the distribution of its family, or set family in its [[ledgers]] section."


class FamilyUnusable(CaimiError):
    """What is installed for a family of ledgers cannot be used."""

    code = "CAIMI-C058"
    why = "It does not fit this CAIMI, or something that it needs is missing."
    next_step = "Install it again, in the version that goes with this CAIMI."


class KeysUnusable(CaimiError):
    """The directory of keys, or a key in it, cannot be read or written."""

    code = "CAIMI-C056"
    why = "Something else is at its path, this user may not use it, or its disk is full."
    next_step = "Look at it with `ls -ld`, or set directory under [keys] in caimi.toml."


class BindingInvalid(CaimiError):
    """What should show that two accounts are one person's does not."""

    code = "CAIMI-C060"
    why = "Each of the two keys signs for the other's account; what is changed later is not signed."
    next_step = "Have the person whose accounts they are run `caimi keys bind` again."


class UnknownProfile(CaimiError):
    """No profile of that name is configured."""

    code = "CAIMI-C075"
    why = "A profile is a table [profiles.NAME] of caimi.toml, or a file ~/.config/caimi/NAME.toml."
    next_step = "Name one that there is with --profile or CAIMI_PROFILE, or write it."


class ExtraMissing(CaimiError):
    """What was asked for needs packages that a plain installation does not bring."""

    code = "CAIMI-C076"
    why = (
        "Running models as WebAssembly, services and the demonstration are extras: they are large."
    )
    next_step = "Run `pip install 'caimi[all]'`, or with the one extra that the message names."


class AssetUnknown(CaimiError):
    """No asset of that name is configured for the ledger."""

    code = "CAIMI-C077"
    why = "A token is known by what [[assets]] in caimi.toml says of it; a ledger's coin is `coin`."
    next_step = "Add it to [[assets]] with its symbol, ledger, address and decimals."


class AssetMismatch(CaimiError):
    """A token's contract does not say of itself what the configuration says of it."""

    code = "CAIMI-C078"
    why = "With other decimals another amount would be paid; with another symbol, another token."
    next_step = "Look the contract up at its issuer's, then correct [[assets]] in caimi.toml."


class Interrupted(CaimiError):
    """Ctrl-C ended a command."""

    code = "CAIMI-C092"
    why = "Ctrl-C was pressed."
    next_step = (
        "Run the same command again: what was signed is written down, so it goes on and does "
        "nothing twice."
    )

    @classmethod
    def of(cls, doing: str, *, reading: bool) -> Interrupted:
        """Make one that says what was in flight."""
        what = f"Stopped while this was in flight: {doing}." if doing else "Stopped."
        if reading:
            return cls(what, next_step="Nothing was being changed: run it again at any time.")
        return cls(what)


class LedgerNotFound(CaimiError):
    """Where a ledger was said to be, none answers, or another one."""

    code = "CAIMI-C093"
    why = (
        "`caimi init` asks the node which ledger it serves, and writes nothing that it cannot see."
    )
    next_step = (
        "Check the URL and that the node runs; or run `caimi init` alone and write the [[ledgers]] "
        "section by hand."
    )


class NotLicensed(CaimiError):
    """The account holds no licence that could be revoked."""

    code = "CAIMI-C094"
    why = "A licence is of one version and one account: another of the same person has its own."
    next_step = (
        "Run `caimi history URI` to see who was licensed, and name the account with --from, as "
        "CAIP-10 where it is of another ledger."
    )


class NotAtHome(CaimiError):
    """Licences of a model that is not on its home ledger are neither granted nor revoked."""

    code = "CAIMI-C095"
    why = (
        "Licences are on the model's home ledger alone, and its owner there grants and revokes "
        "them; while the ownership is elsewhere they stand as they are."
    )
    next_step = (
        "Run `caimi show URI` to see where it is; have it transferred home, then run this again."
    )
