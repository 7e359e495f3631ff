"""Every command of `caimi`, a line each: its name, where it is, and what the help says of it.

Nothing of a command is imported before it is called; a line's last part is the first paragraph of
the command's own help. A place is a function, or a `typer.Typer` of more commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

TABLE: Final = """
# Start
init       | caimi.cli.init:init                | Write a caimi.toml: for chosen ledgers, or one with everything in comments.
keys       | caimi.cli.keys:app                 | Make, import, export, list and bind keys (encrypted files; never plain text).
cache      | caimi.cli.cache:app                | What is kept to be quick and can be made again: list it, remove it.
devnet     | caimi.cli.devnet:app               | A local network of real processes on loopback.
logs       | caimi.cli.devnet:logs               | Show what a process of the local network has logged.
demo       | caimi.cli.demo:demo                | Carry one real model all the way: publish, license, unlock, run, check, move, roll back.
# Models
publish    | caimi.cli.models.publish:publish   | Seal, sign, store and publish a version of a model.
search     | caimi.cli.models.search:search     | Find models, on one ledger or on all. Anybody can publish under any name.
show       | caimi.cli.models.show:show         | Tell everything about a model: owner, versions, prices, signature, files, lineage.
buy        | caimi.cli.models.buy:buy           | Buy a licence, paying on any ledger; on the model's own unless --ledger names another.
grant      | caimi.cli.models.grant:grant       | Give an account a licence of a version, without payment. The model's owner only.
revoke     | caimi.cli.models.revoke:revoke     | Take a licence back: custodians honour it no more. The model's owner only.
licences   | caimi.cli.models.licences:licences | List the licences that a key's accounts hold, on all ledgers, without opening the key.
pull       | caimi.cli.models.pull:pull         | Unlock a licensed version and write its plain files, all hashes and the signature checked.
run        | caimi.cli.models.run:run           | Run a licensed model here, or have a worker run it and sign a receipt.
verify     | caimi.cli.models.verify:verify     | Check a published version, pulled files, or a worker's receipt. Exits 1 when a check fails.
history    | caimi.cli.models.history:history   | List everything that happened to a model, on every ledger, or to one of its aliases.
alias      | caimi.cli.models.alias:set_alias   | Point an alias at a version; its history keeps every earlier target.
deprecate  | caimi.cli.models.deprecate:deprecate | Mark a version as deprecated: no new licences, no new aliases.
transfer   | caimi.cli.models.transfer:transfer | Move a model's ownership to an account, on the same ledger or another.
# Money
price      | caimi.cli.models.price:app         | What licences of a model cost, in coins and tokens.
balance    | caimi.cli.money:balance            | Tell what an account has on each ledger. No passphrase is asked for.
earnings   | caimi.cli.money:earnings           | Tell what an account is owed on each ledger, without asking for a passphrase.
withdraw   | caimi.cli.money:withdraw           | Have everything paid out that ledgers owe the key's accounts: sales, refunds, fees.
asset      | caimi.cli.asset:app                | A ledger's accounting asset: its issuer makes units, and who has them redeems them.
packet     | caimi.cli.packet:app               | Packets between ledgers.
fees       | caimi.cli.fees:app                 | Pay relayers for carrying packets.
# Engines
engines    | caimi.cli.compiling:engines        | Show what can run models on this machine, with the ids that receipts name.
compile    | caimi.cli.compiling:compile_command | Compile an ONNX file to one WebAssembly module: the same answers, bit for bit, everywhere.
estimate   | caimi.cli.estimate:estimate_command | Tell fuel, time, memory and bytes of a run on each engine, and what a worker would ask.
calibrate  | caimi.cli.estimate:calibrate       | Measure this machine in some seconds, so that estimates tell its own times.
# Operators
deploy     | caimi.cli.deploy:deploy            | Put CAIMI's contracts on a ledger, and write where they are into caimi.toml.
fabric     | caimi.cli.fabric:app               | What each organisation of a Hyperledger Fabric channel prepares for it.
doctor     | caimi.cli.doctor:doctor            | Check everything that can be wrong here; exits with 1 when something is.
route      | caimi.cli.route:app                | Routes between ledgers: adding them, listing them, and closing them.
certificates | caimi.cli.certificates:app       | Certificates by which services know each other: TLS 1.3, signed by your own authority.
node       | caimi.cli.node:app                 | Make a committee member's node: its directory, its description, its committee.
service    | caimi.cli.services:app             | Run a node, a relayer, a watcher, a worker or a treasury.
treasury   | caimi.cli.treasury:app             | Keep service accounts in coins, under a cap a day.
committee  | caimi.cli.committee:app            | Who attests for each route, handing over to the next committee, and the custodians' key.
governance | caimi.cli.governance:app           | Who may change what on a ledger, and changes through its timelock.
"""  # noqa: E501 - a line each


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of the table: under which heading, where (module:name), and what is said of it."""

    name: str
    heading: str
    place: str
    says: str


def entries() -> Iterator[Entry]:
    """Read the table, in its order."""
    heading = ""
    for line in TABLE.strip().splitlines():
        if line.startswith("#"):
            heading = line.removeprefix("#").strip()
        else:
            name, place, says = (part.strip() for part in line.split("|"))
            yield Entry(name, heading, place, says)
