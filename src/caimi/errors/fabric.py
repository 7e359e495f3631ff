"""Errors of Hyperledger Fabric: programs, networks, identities, transactions, blocks (letter F)."""

from __future__ import annotations

from caimi.errors.ledgers import LedgerError


class FabricError(LedgerError):
    """Something of a Fabric network stops the operation."""

    code = "CAIMI-F000"
    why = "A peer, an orderer or a chaincode did not do what was asked."
    next_step = "Read what happened above and correct it."


class FabricProgramsMissing(FabricError):
    """Fabric's peer or orderer cannot be found."""

    code = "CAIMI-F001"
    why = "Local Fabric networks run the real programs, which are built from pinned Go modules."
    next_step = (
        "In a checkout run `make fabric`. Elsewhere set CAIMI_FABRIC to a folder that holds peer "
        "and orderer."
    )


class FabricProgramsDamaged(FabricError):
    """Fabric's programs are not the ones that their sources make."""

    code = "CAIMI-F002"
    why = "The files were changed or cut short since they were built, or were built from others."
    next_step = "Remove the folder and run `make fabric` again."


class FabricBuildFailed(FabricError):
    """Fabric's programs cannot be built."""

    code = "CAIMI-F003"
    why = "The Go toolchain or a module could not be fetched, or the compiler ended with an error."
    next_step = "Read its output above, see that the network and the disk serve, and run it again."
