"""What registries, receipt logs and roles refuse."""

from __future__ import annotations

from dataclasses import replace

from caimi.contracts.authority import AuthorityRole
from caimi.contracts.bounds import asset, number
from caimi.contracts.identifiers import Account, InteroperableAccount, TokenId
from caimi.contracts.naming import token_id
from caimi.contracts.publications import publication_leaf
from caimi.contracts.visiting import ModelStatement, VisitingModel
from caimi.merkle import MerkleTree
from contracts.local_ledgers import ADMIN, ALICE, BOB, GUARD, LocalLedger, LocalPair, sign
from contracts.refusals import Refused, case

MANIFEST = b"\7" * 32
EVM_LEDGER = bytes.fromhex("00010000010100")
NO_TOKEN = TokenId(b"\1" * 32)


def visitor(pair: LocalPair) -> VisitingModel:
    """Give a model of beta as it would come to alpha."""
    beta = pair.beta.site
    return VisitingModel(
        beta.here(beta.registry),
        BOB,
        "digits",
        (),
        ModelStatement(1, 1, "1.0.0", MANIFEST, 0, bytes(24)),
    )


def mint(pair: LocalPair, model: VisitingModel, token: TokenId | None = None) -> Refused:
    alpha = pair.alpha
    found = token or token_id(model.model, model.path)
    visitors = alpha.contracts.registry.visitors
    return alpha, alpha.site.bridge, lambda call: visitors.mint(call, found, ALICE, model)


def publishing(ledger: LocalLedger, name: str, version: str, manifest: bytes = MANIFEST) -> Refused:
    registry = ledger.contracts.registry
    return ledger, ALICE, lambda call: registry.publish(call, name, version, manifest)


def batched(ledger: LocalLedger, publisher: Account = ALICE, wrong: str = "") -> Refused:
    """Publish from a batch, with something wrong."""
    registry = ledger.contracts.registry
    signed = registry.publications.sign(publisher, "digits", "1.0.0", MANIFEST)
    here = ledger.site.here(publisher)
    leaf = publication_leaf(here, signed.model, signed.version, signed.manifest)
    tree = MerkleTree([leaf, bytes(32)])
    batch = ledger.do(BOB, lambda c: registry.publications.anchor(c, tree.root, 2)).result
    signature = sign(replace(signed, publisher=BOB)) if wrong == "signature" else sign(signed)
    given = replace(signed, registry=b"elsewhere") if wrong == "registry" else signed
    given = replace(given, version="2.0.0") if wrong == "version" else given
    proof = tree.proof(0)
    return (
        ledger,
        BOB,
        lambda call: registry.publish_from_batch(call, batch, given, proof, signature),
    )


@case("InvalidName")
def name_with_a_capital(pair: LocalPair) -> Refused:
    return publishing(pair.alpha, "Digits", "1.0.0")


@case("MalformedText")
def name_that_is_no_unicode(pair: LocalPair) -> Refused:
    return publishing(pair.alpha, "\ud800", "1.0.0")


@case("InvalidVersion")
def version_that_begins_with_a_letter(pair: LocalPair) -> Refused:
    return publishing(pair.alpha, "digits", "v1")


@case("ZeroManifest")
def manifest_of_zeros(pair: LocalPair) -> Refused:
    return publishing(pair.alpha, "digits", "1.0.0", bytes(32))


@case("WrongLength")
def manifest_of_31_bytes(pair: LocalPair) -> Refused:
    return publishing(pair.alpha, "digits", "1.0.0", b"\1" * 31)


@case("VersionExists")
def version_twice(pair: LocalPair) -> Refused:
    pair.alpha.publish()
    return publishing(pair.alpha, "digits", "1.0.0")


@case("NotModelOwner")
def version_of_a_model_that_was_sold(pair: LocalPair) -> Refused:
    token = pair.alpha.publish()
    ownership = pair.alpha.contracts.registry.ownership
    pair.alpha.do(ALICE, lambda call: ownership.transfer(call, ALICE, BOB, token))
    return publishing(pair.alpha, "digits", "2.0.0")


@case("UnknownModel")
def version_of_no_model(pair: LocalPair) -> Refused:
    registry = pair.alpha.contracts.registry
    return (
        pair.alpha,
        ALICE,
        lambda call: registry.publish_version(call, NO_TOKEN, "2.0.0", MANIFEST),
    )


@case("ModelIsForeign")
def version_of_a_visitor(pair: LocalPair) -> Refused:
    model = visitor(pair)
    ledger, bridge, act = mint(pair, model)
    ledger.do(bridge, act)
    registry = ledger.contracts.registry
    return (
        ledger,
        ALICE,
        lambda call: registry.publish_version(call, TokenId(model.model), "2.0.0", MANIFEST),
    )


@case("InvalidAccount")
def batch_of_nobody(pair: LocalPair) -> Refused:
    return batched(pair.alpha, Account(b"N0body"))


@case("NotInBatch")
def publication_of_another_batch(pair: LocalPair) -> Refused:
    return batched(pair.alpha, wrong="version")


@case("NotInBatch")
def publication_of_another_registry(pair: LocalPair) -> Refused:
    return batched(pair.alpha, wrong="registry")


@case("InvalidSignature")
def publication_that_somebody_else_signed(pair: LocalPair) -> Refused:
    return batched(pair.alpha, wrong="signature")


@case("ZeroRoot")
def batch_of_zeros(pair: LocalPair) -> Refused:
    publications = pair.alpha.contracts.registry.publications
    return pair.alpha, ALICE, lambda call: publications.anchor(call, bytes(32), 1)


@case("EmptyBatch")
def batch_of_nothing(pair: LocalPair) -> Refused:
    publications = pair.alpha.contracts.registry.publications
    return pair.alpha, ALICE, lambda call: publications.anchor(call, MANIFEST, 0)


@case("UnknownBatch")
def batch_that_nobody_anchored(pair: LocalPair) -> Refused:
    publications = pair.alpha.contracts.registry.publications
    return pair.alpha, ALICE, lambda call: publications.get(call.state, 1)


@case("InvalidAlias")
def alias_that_begins_with_a_digit(pair: LocalPair) -> Refused:
    token, registry = pair.alpha.publish(), pair.alpha.contracts.registry
    return pair.alpha, ALICE, lambda call: registry.set_alias(call, token, "1st", "1.0.0")


@case("UnknownVersion")
def alias_of_no_version(pair: LocalPair) -> Refused:
    token, registry = pair.alpha.publish(), pair.alpha.contracts.registry
    return pair.alpha, ALICE, lambda call: registry.set_alias(call, token, "first", "2.0.0")


@case("VersionIsDeprecated")
def alias_of_a_deprecated_version(pair: LocalPair) -> Refused:
    token, registry = pair.alpha.publish(), pair.alpha.contracts.registry
    pair.alpha.do(ALICE, lambda call: registry.deprecate(call, token, "1.0.0", ""))
    return pair.alpha, ALICE, lambda call: registry.set_alias(call, token, "first", "1.0.0")


@case("ReasonTooLong")
def reason_of_257_bytes(pair: LocalPair) -> Refused:
    token, registry = pair.alpha.publish(), pair.alpha.contracts.registry
    return pair.alpha, ALICE, lambda call: registry.deprecate(call, token, "1.0.0", "x" * 257)


@case("UnknownAlias")
def alias_never_set(pair: LocalPair) -> Refused:
    token, known = pair.alpha.publish(), pair.alpha.contracts.registry.known
    return pair.alpha, ALICE, lambda call: known.alias(call.state, token, "first")


@case("IndexOutOfBounds")
def version_beyond_the_last(pair: LocalPair) -> Refused:
    token, known = pair.alpha.publish(), pair.alpha.contracts.registry.known
    return pair.alpha, ALICE, lambda call: known.version_at(call.state, token, 1)


@case("IndexOutOfBounds")
def alias_entry_beyond_the_last(pair: LocalPair) -> Refused:
    token, known = pair.alpha.publish(), pair.alpha.contracts.registry.known
    return pair.alpha, ALICE, lambda call: known.alias_at(call.state, token, "first", 0)


@case("ModelIsNotForeign")
def voyage_of_a_home_model(pair: LocalPair) -> Refused:
    token, known = pair.alpha.publish(), pair.alpha.contracts.registry.known
    return pair.alpha, ALICE, lambda call: known.visiting(call.state, token)


# --- ownership ----------------------------------------------------------------------------------


def moving(
    ledger: LocalLedger, caller: Account, sender: Account, to: Account, token: TokenId
) -> Refused:
    ownership = ledger.contracts.registry.ownership
    return ledger, caller, lambda call: ownership.transfer(call, sender, to, token)


@case("NotBySending")
def transfer_to_the_bridge(pair: LocalPair) -> Refused:
    return moving(pair.alpha, ALICE, ALICE, pair.alpha.site.bridge, pair.alpha.publish())


@case("NotBySending")
def transfer_to_the_registry(pair: LocalPair) -> Refused:
    return moving(pair.alpha, ALICE, ALICE, pair.alpha.site.registry, pair.alpha.publish())


@case("ERC721InvalidReceiver")
def transfer_to_what_is_no_account(pair: LocalPair) -> Refused:
    return moving(pair.alpha, ALICE, ALICE, Account(b"B0B"), pair.alpha.publish())


@case("ERC721InsufficientApproval")
def transfer_by_a_stranger(pair: LocalPair) -> Refused:
    return moving(pair.alpha, BOB, ALICE, BOB, pair.alpha.publish())


@case("ERC721NonexistentToken")
def transfer_of_nothing(pair: LocalPair) -> Refused:
    return moving(pair.alpha, ALICE, ALICE, BOB, NO_TOKEN)


@case("ERC721IncorrectOwner")
def transfer_from_somebody_else(pair: LocalPair) -> Refused:
    return moving(pair.alpha, ALICE, BOB, ALICE, pair.alpha.publish())


@case("ERC721NonexistentToken")
def approval_of_nothing(pair: LocalPair) -> Refused:
    ownership = pair.alpha.contracts.registry.ownership
    return pair.alpha, ALICE, lambda call: ownership.approve(call, BOB, NO_TOKEN)


@case("ERC721InvalidApprover")
def approval_by_a_stranger(pair: LocalPair) -> Refused:
    token, ownership = pair.alpha.publish(), pair.alpha.contracts.registry.ownership
    return pair.alpha, BOB, lambda call: ownership.approve(call, BOB, token)


@case("InvalidAccount")
def approval_of_what_is_no_account(pair: LocalPair) -> Refused:
    token, ownership = pair.alpha.publish(), pair.alpha.contracts.registry.ownership
    return pair.alpha, ALICE, lambda call: ownership.approve(call, Account(b"B0B"), token)


@case("ERC721InvalidOperator")
def operator_that_is_no_account(pair: LocalPair) -> Refused:
    ownership = pair.alpha.contracts.registry.ownership
    return (
        pair.alpha,
        ALICE,
        lambda call: ownership.set_operator(call, Account(b""), approved=True),
    )


@case("ERC721InvalidReceiver")
def mint_to_what_is_no_account(pair: LocalPair) -> Refused:
    ownership = pair.alpha.contracts.registry.ownership
    return pair.alpha, ALICE, lambda call: ownership.mint(call, Account(b""), NO_TOKEN)


@case("ERC721InvalidSender")
def mint_of_a_visitor_that_is_here(pair: LocalPair) -> Refused:
    ledger, bridge, act = mint(pair, visitor(pair))
    ledger.do(bridge, act)
    return ledger, bridge, act


# --- visitors -----------------------------------------------------------------------------------


@case("AccessManagedUnauthorized")
def mint_by_a_stranger(pair: LocalPair) -> Refused:
    ledger, _, act = mint(pair, visitor(pair))
    return ledger, ALICE, act


@case("InvalidName")
def visitor_with_a_bad_name(pair: LocalPair) -> Refused:
    return mint(pair, replace(visitor(pair), name="Bad"))


@case("InvalidHome")
def visitor_whose_home_is_here(pair: LocalPair) -> Refused:
    site = pair.alpha.site
    return mint(pair, replace(visitor(pair), home=site.here(site.registry)))


@case("WrongModelId")
def visitor_under_another_id(pair: LocalPair) -> Refused:
    return mint(pair, visitor(pair), NO_TOKEN)


@case("InvalidPublisher")
def visitor_of_no_publisher(pair: LocalPair) -> Refused:
    return mint(pair, replace(visitor(pair), publisher=Account(b"")))


@case("InvalidPublisher")
def visitor_of_a_publisher_of_65_bytes(pair: LocalPair) -> Refused:
    return mint(pair, replace(visitor(pair), publisher=Account(bytes(65))))


@case("InvalidPublisher")
def visitor_of_nobody_on_an_evm_ledger(pair: LocalPair) -> Refused:
    home = InteroperableAccount(bytes.fromhex("0001000001011411") + bytes(19))
    return mint(pair, replace(visitor(pair), home=home, publisher=Account(bytes(20))))


@case("InvalidHome")
def visitor_of_no_home(pair: LocalPair) -> Refused:
    return mint(pair, replace(visitor(pair), home=InteroperableAccount(b"")))


@case("InvalidVersion")
def visitor_of_a_bad_version(pair: LocalPair) -> Refused:
    model = visitor(pair)
    return mint(pair, replace(model, stated=replace(model.stated, version="new")))


@case("ZeroManifest")
def visitor_without_a_manifest(pair: LocalPair) -> Refused:
    model = visitor(pair)
    return mint(pair, replace(model, stated=replace(model.stated, manifest=bytes(32))))


@case("ModelIsNotForeign")
def burning_a_home_model(pair: LocalPair) -> Refused:
    token, visitors = pair.alpha.publish(), pair.alpha.contracts.registry.visitors
    return pair.alpha, pair.alpha.site.bridge, lambda call: visitors.burn(call, token)


@case("NotModelOwner")
def burning_what_somebody_holds(pair: LocalPair) -> Refused:
    model = visitor(pair)
    ledger, bridge, act = mint(pair, model)
    ledger.do(bridge, act)
    visitors = ledger.contracts.registry.visitors
    return ledger, bridge, lambda call: visitors.burn(call, TokenId(model.model))


# --- receipts, roles, bounds --------------------------------------------------------------------


@case("ZeroRoot")
def receipts_of_zeros(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: pair.alpha.contracts.receipts.anchor(call, bytes(32), 1)


@case("EmptyBatch")
def receipts_of_nothing(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: pair.alpha.contracts.receipts.anchor(call, MANIFEST, 0)


@case("AlreadyAnchored")
def receipts_twice(pair: LocalPair) -> Refused:
    def anchor(call):
        return pair.alpha.contracts.receipts.anchor(call, MANIFEST, 1)

    pair.alpha.do(ALICE, anchor)
    return pair.alpha, ALICE, anchor


@case("AccessManagerUnauthorizedAccount")
def role_by_a_guardian(pair: LocalPair) -> Refused:
    authority = pair.alpha.contracts.authority
    return pair.alpha, GUARD, lambda call: authority.grant(call, AuthorityRole.EXIT, GUARD)


@case("AccessManagedUnauthorized")
def role_that_was_taken(pair: LocalPair) -> Refused:
    contracts = pair.alpha.contracts
    pair.alpha.do(
        ADMIN, lambda call: contracts.authority.revoke(call, AuthorityRole.GUARDIAN, GUARD)
    )
    return pair.alpha, GUARD, contracts.bridge.pause


@case("AlreadyFounded")
def founding_twice(pair: LocalPair) -> Refused:
    return pair.alpha, BOB, lambda call: pair.alpha.contracts.found(call, BOB, BOB)


@case("NumberOutOfRange")
def number_below_zero(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: number(-1, 8, "n")


@case("NumberOutOfRange")
def number_that_is_a_truth(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: number(True, 8, "n")


@case("NumberOutOfRange")
def number_of_nine_bits(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: number(256, 8, "n")


@case("InvalidAsset")
def asset_of_19_bytes_on_an_evm_ledger(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: asset(b"\1" * 19, EVM_LEDGER)


@case("InvalidAsset")
def asset_of_zeros_on_an_evm_ledger(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: asset(bytes(20), EVM_LEDGER)


@case("InvalidAsset")
def asset_of_65_bytes(pair: LocalPair) -> Refused:
    return pair.alpha, ALICE, lambda call: asset(bytes(65), pair.alpha.site.ledger)


@case("ContractAccount")
def acting_as_the_bridge(pair: LocalPair) -> Refused:
    contracts, bridge = pair.alpha.contracts, pair.alpha.site.bridge
    mint_it = mint(pair, visitor(pair))[2]
    return pair.alpha, ALICE, lambda call: contracts.run(call.by(bridge), mint_it)
