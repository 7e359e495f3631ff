"""A node's directory is made whole, whatever kills the command, and what is told is no secret."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from caimi.errors.certificates import CertificateInvalid
from caimi.errors.node import DescriptionInvalid, NodeBegunOtherwise
from caimi.keystore import LocalSigner
from caimi.node.description import (
    NodeDescription,
    check_url,
    committee_fingerprint,
    in_order,
    read_description,
)
from caimi.node.founding import NodeFounding
from caimi.node.joining import TRUST, CommitteeTerms, NodeJoining, authority_file, write_trust
from caimi.node.settings import NodeDraft
from caimi.node.unit import systemd_unit
from caimi.tls.authority import Wanted, make_request
from caimi.tls.certificates import fingerprint
from organisations import Organisation, put

PASSPHRASE = b"correct horse"
URL = "https://127.0.0.1:9001"
ELSEWHERE = Wanted("node-1", "Ours", ("127.0.0.2",))


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalSigner, "save", partial_save)


def partial_save(self: LocalSigner, path: Path, passphrase: bytes) -> None:
    SAVE(self, path, passphrase, scrypt_n=1 << 10)


SAVE = LocalSigner.save


def draft(name: str = "node-1", organisation: str = "Ours", url: str = URL) -> NodeDraft:
    port = check_url(url)[1]
    return NodeDraft(
        name=name, organisation=organisation, url=url, host="127.0.0.1", port=port, ledgers=[]
    )


def founded(folder: Path, of: Organisation, name: str = "node-1", port: int = 9001) -> Path:
    home = folder / name
    wanted = draft(name, of.name, f"https://127.0.0.1:{port}")
    assert not NodeFounding(home, wanted, ("caimi",)).carry_out(PASSPHRASE, of.authority).lacking
    return home


KILLED = """
import os, signal, sys
from pathlib import Path
at, folder = int(sys.argv[1]), Path(sys.argv[2])
from caimi.keystore import LocalSigner
from caimi.node.founding import NodeFounding
from caimi.node.settings import NodeDraft
from caimi.tls.authority import CertificateAuthority
save = LocalSigner.save
LocalSigner.save = lambda self, path, secret: save(self, path, secret, scrypt_n=1 << 10)
authority = CertificateAuthority.load(folder.parent / "Ours", b"correct horse")
draft = NodeDraft(name="node-1", organisation="Ours", url="https://127.0.0.1:9001",
                  host="127.0.0.1", port=9001, ledgers=[])
seen = 0
def struck(real):
    def call(*arguments, **named):
        global seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return call
for name in ("mkdir", "link", "unlink", "rename", "replace", "fsync"):
    setattr(os, name, struck(getattr(os, name)))
NodeFounding(folder, draft, ("caimi",)).carry_out(b"correct horse", authority)
print(seen)
"""


def test_killed_at_any_call_the_same_again_makes_the_same_node(tmp_path: Path) -> None:
    ours = Organisation(tmp_path, "Ours")
    for at in range(1, 200, 3):
        home = tmp_path / str(at)
        command = [sys.executable, "-c", KILLED, str(at), str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kept = {
            name: (home / name).read_bytes()
            for name in ("account.json", "tls.key", "tls.pem", "draft.toml")
            if (home / name).exists()
        }
        made = NodeFounding(home, draft(), ("caimi",)).carry_out(PASSPHRASE, ours.authority)
        assert made.description is not None
        assert read_description(home / "description.json") == made.description
        assert {name: (home / name).read_bytes() for name in kept} == kept
    assert at > 15


def test_nothing_that_is_given_to_others_is_secret(tmp_path: Path) -> None:
    home = founded(tmp_path, Organisation(tmp_path, "Ours"))
    for name in ("description.json", "tls.csr", "tls.pem", "authority.pem"):
        assert b"PRIVATE" not in (home / name).read_bytes()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_certificate_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    ours, theirs = Organisation(tmp_path, "Ours"), Organisation(tmp_path, "Theirs")
    home = founded(tmp_path, ours)
    own = (home / "tls.pem").read_bytes()
    again = NodeFounding(home, draft(), ("caimi",))
    elsewhere = tmp_path / "elsewhere.pem"
    put(elsewhere, ours.authority.sign(make_request(home / "tls.key", ELSEWHERE)))
    for wrong, said in (
        (ours.issue("other", "127.0.0.1").certificate, "not of the key"),
        (elsewhere, "not for 127.0.0.1"),
        (home / "draft.toml", "does not hold"),
    ):
        (home / "tls.pem").write_bytes(wrong.read_bytes())
        with pytest.raises(CertificateInvalid, match=said):
            again.carry_out(PASSPHRASE)
    (home / "tls.pem").write_bytes(own)
    (home / "authority.pem").write_bytes(theirs.trust.read_bytes())
    with pytest.raises(CertificateInvalid, match="not signed by the authority"):
        again.carry_out(PASSPHRASE)


def test_a_directory_of_another_node_is_left_alone(tmp_path: Path) -> None:
    ours = Organisation(tmp_path, "Ours")
    home = founded(tmp_path, ours)
    with pytest.raises(NodeBegunOtherwise):
        NodeFounding(home, draft("node-2"), ("caimi",)).carry_out(PASSPHRASE, ours.authority)
    (home / "draft.toml").unlink()
    with pytest.raises(NodeBegunOtherwise, match="not begun here"):
        NodeFounding(home, draft(), ("caimi",)).carry_out(PASSPHRASE, ours.authority)


def committee(folder: Path) -> tuple[list[Path], list[NodeDescription]]:
    ours, theirs = Organisation(folder, "Ours"), Organisation(folder, "Theirs")
    homes = [
        founded(folder, ours, "node-1", 9001),
        founded(folder, ours, "node-2", 9002),
        founded(folder, theirs, "node-3", 9003),
    ]
    return homes, [read_description(home / "description.json") for home in homes]


def test_all_come_to_one_committee_in_whatever_order_they_name_it(tmp_path: Path) -> None:
    homes, members = committee(tmp_path)
    written = []
    for turn, home in enumerate(homes):
        named = members[turn:] + members[:turn]
        assert committee_fingerprint(named, 2) == committee_fingerprint(members, 2)
        joining = NodeJoining(home)
        file = joining.carry_out(CommitteeTerms.of(named, 2, b"\x11" * 20))
        assert joining.carry_out(CommitteeTerms.of(named, 2, b"\x11" * 20)) == file
        written.append(file.read_text().split("[[committee]]", 1)[1])
        with pytest.raises(NodeBegunOtherwise):
            joining.carry_out(CommitteeTerms.of(named, 3, b"\x11" * 20))
    assert len(set(written)) == 1
    assert committee_fingerprint(members, 3) != committee_fingerprint(members, 2)


@pytest.mark.parametrize("names", [("Acme", "ACME"), ("株式会社", "公司")])
def test_authorities_whose_names_read_alike_have_files_of_their_own(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    either = [Organisation(tmp_path, name) for name in names]
    texts = [each.trust.read_text() for each in either]
    write_trust(tmp_path / TRUST, [*texts, texts[0], f"# a note\n{texts[0]}"])
    files = [tmp_path / TRUST / authority_file(text) for text in texts]
    assert sorted((tmp_path / TRUST).iterdir()) == sorted(files)
    for file, text, each in zip(files, texts, either, strict=True):
        assert file.read_text() == text
        # A part of it could be ground: who finds another certificate of that name has its file.
        assert file.stem.endswith(f"-{fingerprint(each.authority.certificate)}")


def test_a_bundle_has_no_other_authoritys_file(tmp_path: Path) -> None:
    ours, theirs = (Organisation(tmp_path, name).trust.read_text() for name in ("Ours", "Theirs"))
    write_trust(tmp_path / TRUST, [ours, ours + theirs])
    assert (tmp_path / TRUST / authority_file(ours)).read_text() == ours
    assert (tmp_path / TRUST / authority_file(ours + theirs)).read_text() == ours + theirs


@pytest.mark.parametrize("kind", ["another", "longer", "link", "directory"])
def test_another_file_of_an_authoritys_name_is_left_alone(tmp_path: Path, kind: str) -> None:
    homes, members = committee(tmp_path)
    other = Organisation(tmp_path, "Attacker").trust.read_text()
    last = members[-1].authority
    place = homes[0] / TRUST / authority_file(last)
    place.parent.mkdir()
    match kind:
        case "another":
            place.write_text(other)
        case "longer":
            place.write_text(last + other)
        case "link":
            place.symlink_to(tmp_path / "nowhere")
        case _:
            place.mkdir()
    with pytest.raises(NodeBegunOtherwise, match="does not hold the certificate"):
        NodeJoining(homes[0]).carry_out(CommitteeTerms.of(members, 2, b"\x11" * 20))
    assert list(place.parent.iterdir()) == [place]
    assert not (homes[0] / "node.toml").exists()
    assert not (tmp_path / "nowhere").exists()
    if kind == "another":
        assert place.read_text() == other


def test_a_node_that_was_begun_otherwise_trusts_nobody_new(tmp_path: Path) -> None:
    homes, members = committee(tmp_path)
    joining = NodeJoining(homes[0])
    joining.carry_out(CommitteeTerms.of(members[:2], 2, b"\x11" * 20))
    trusted = sorted((homes[0] / TRUST).iterdir())
    with pytest.raises(NodeBegunOtherwise):
        joining.carry_out(CommitteeTerms.of(members, 2, b"\x11" * 20))
    assert sorted((homes[0] / TRUST).iterdir()) == trusted


def test_a_committee_of_the_wrong_members_is_refused(tmp_path: Path) -> None:
    homes, members = committee(tmp_path)
    with pytest.raises(DescriptionInvalid, match="Two members have one"):
        in_order([*members, members[0]])
    for threshold in (0, 1, 4):
        with pytest.raises(DescriptionInvalid, match="is no committee"):
            CommitteeTerms.of(members, threshold, b"\x11" * 20)
    with pytest.raises(DescriptionInvalid, match="none of the members"):
        NodeJoining(homes[0]).carry_out(CommitteeTerms.of(members[1:], 2, b"\x11" * 20))
    other = Organisation(tmp_path / "again", "Ours")
    two = read_description(founded(tmp_path / "again", other, "node-9", 9009) / "description.json")
    with pytest.raises(DescriptionInvalid, match="shows two authorities"):
        in_order([members[0], two])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://127.0.0.1:9001"),
        ("url", "https://127.0.0.1"),
        ("url", "https://user@127.0.0.1:9001"),
        ("url", "https://127.0.0.1:9001/path"),
        ("url", "https://127.0.0.1:99999"),
        ("name", "../node"),
        ("organisation", "Theirs"),
        ("public_key", "0x" + "02" + "00" * 32),
        ("public_key", "0x04"),
        ("authority", "text"),
        ("format", "caimi-node-description/2"),
        ("more", "1"),
    ],
)
def test_a_description_that_was_changed_is_refused(tmp_path: Path, field: str, value: str) -> None:
    home = founded(tmp_path, Organisation(tmp_path, "Ours"))
    document = json.loads((home / "description.json").read_text())
    NodeDescription.from_json(json.dumps(document))
    with pytest.raises(DescriptionInvalid):
        NodeDescription.from_json(json.dumps({**document, field: value}))


def test_a_certificate_of_a_service_is_no_authority_to_others(tmp_path: Path) -> None:
    home = founded(tmp_path, Organisation(tmp_path, "Ours"))
    document = json.loads((home / "description.json").read_text())
    document["authority"] = (home / "tls.pem").read_text()
    with pytest.raises(DescriptionInvalid, match="no authority"):
        NodeDescription.from_json(json.dumps(document))


def test_a_unit_obeys_no_character_of_a_path() -> None:
    unit = systemd_unit("a %n\nUser=root", ["/x y", "$HOME%h", 'a"b'], Path("/w %t"), Path("/s%n"))
    assert 'ExecStart="/x y" "$$HOME%%h" "a\\"b"' in unit
    assert "Description=CAIMI a %%n User=root\n" in unit
    assert "\nUser=root" not in unit
    for line in ("NoNewPrivileges=true", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in unit.splitlines()
