"""The configuration: what is taken, and that every fault names its line, its key and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from interlock.config import ConfigError, available_adapters, load_config, read_config, secrets_in

GOOD = """\
state: data
listen: {host: 0.0.0.0, port: 9000}
as_of: 2017-02-18T15:00:00Z
sources:
  snow:
    adapter: servicenow
    environment: production
    base_url: "https://acme.example/"
    auth: {basic: {username: svc, password: "env:SNOW_PASSWORD"}}
    limits: {concurrency: 3, per_second: 0.5, per_hour: 100}
    cache: {ttl_s: 10, entries: 5, kinds: {ci: 300}}
    time_zone: Europe/Berlin
    ca_file: ca.pem
    settings: {tenant: acme, extra: ["env:EXTRA"]}
ledger: {reads: committed}
"""
ENVIRON = {"SNOW_PASSWORD": "hunter2secret", "EXTRA": "more2secret"}


def write(folder: Path, text: str) -> Path:
    path = folder / "interlock.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as found:
        load_config(write(folder, text), environ=ENVIRON if environ is None else environ)
    name = f"{folder / 'interlock.yaml'}:"
    return tuple(fault.removeprefix(name) for fault in found.value.faults)


def test_all_of_it(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), environ=ENVIRON)
    snow = config.sources["snow"]
    assert snow.auth.basic is not None
    assert snow.auth.basic.password.get_secret_value() == "hunter2secret"
    assert snow.base_url == "https://acme.example"
    assert snow.ca_file == tmp_path / "ca.pem"
    assert config.state == tmp_path / "data"
    assert config.as_of is not None
    assert config.as_of.isoformat() == "2017-02-18T15:00:00+00:00"
    assert (snow.limits.queue, snow.timeout_s, snow.scan_limit, snow.settle_s) == (64, 20, 2000, None)
    assert snow.settings["extra"][0] == SecretStr("more2secret")
    assert {secret.get_secret_value() for secret in secrets_in(config)} == {"hunter2secret", "more2secret"}


def test_nothing_is_enough(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, ""), environ={})
    assert (config.state, config.listen.port, dict(config.sources)) == (tmp_path / ".interlock", 8080, {})


def test_no_secret_shows(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), environ=ENVIRON)
    for shown in (repr(config), str(config.model_dump()), config.model_dump_json()):
        assert "hunter2secret" not in shown
        assert "more2secret" not in shown


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("port:", "prt:"), "2: listen.prt: is not a key; did you mean port?"),
        (("concurrency:", "concurency:"), "10: sources.snow.limits.concurency: is not a key; did you mean"),
        (("port: 9000", "port: 90000"), "2: listen.port: input should be less than or equal to 65535"),
        (("concurrency: 3", "concurrency: 0"), "10: sources.snow.limits.concurrency: input should be greater than"),
        (("Europe/Berlin", "Europe/Berln"), "12: sources.snow.time_zone: 'Europe/Berln' is not a time zone"),
        (("servicenow", "servicnow"), "6: sources.snow.adapter: 'servicnow' is not an adapter; did you mean"),
        (("  snow:", "  Snow:"), "5: sources.Snow"),
        (("env:SNOW_PASSWORD", "env:SNOW_PASWORD"), "9: sources.snow.auth.basic.password: the environment variable"),
        (("env:SNOW_PASSWORD", "file:no/such"), "9: sources.snow.auth.basic.password: the secret file"),
        (("env:SNOW_PASSWORD", "letmein99"), "9: sources.snow.auth: a secret may stand in the configuration only when"),
        (("basic:", "basik:"), "9: sources.snow.auth.basik: is not a key; did you mean basic?"),
        (("https://acme", "https://svc:letmein99@acme"), "8: sources.snow.base_url: must not hold a user name"),
        (("https://acme", "ftp://acme"), "8: sources.snow.base_url: "),
        (("15:00:00Z", "15:00:00"), "3: as_of: has no time zone"),
        (("{ci: 300}", "{cy: 300}"), "11: sources.snow.cache.kinds.cy: is not a kind"),
        (("    ca_file: ca.pem", "    client_key: k.pem"), "5: sources.snow: client_key needs client_cert"),
        (("reads: committed", "reads: comitted"), "15: ledger.reads: input should be 'queued' or 'committed'"),
        (("ledger:", "listen:"), "15: listen stands there twice"),
        (("state: data", "state: [data"), "2: is not YAML"),
    ],
)  # fmt: skip
def test_faults_name_line_key_and_way_out(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    assert change[0] in GOOD
    found = faults(tmp_path, GOOD.replace(*change, 1))
    assert found[0].startswith(fault), found
    assert "letmein99" not in "".join(found)


def test_all_faults_at_once(tmp_path: Path) -> None:
    assert len(faults(tmp_path, GOOD.replace("port:", "prt:").replace("Berlin", "Berln"))) == 2


def test_a_literal_secret_is_taken_for_tests(tmp_path: Path) -> None:
    text = GOOD.replace("env:SNOW_PASSWORD", "letmein99").replace("production", "test")
    basic = load_config(write(tmp_path, text), environ=ENVIRON).sources["snow"].auth.basic
    assert basic is not None
    assert basic.password.get_secret_value() == "letmein99"


def test_a_secret_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("fromfile1\n")
    text = GOOD.replace("env:SNOW_PASSWORD", "file:pw")
    basic = load_config(write(tmp_path, text), environ=ENVIRON).sources["snow"].auth.basic
    assert basic is not None
    assert basic.password.get_secret_value() == "fromfile1"


def test_a_proxy_with_a_password_must_be_named_not_written(tmp_path: Path) -> None:
    text = GOOD.replace("    ca_file: ca.pem", '    proxy: "http://u:letmein99@proxy:3128"')
    found = faults(tmp_path, text)
    assert found[0].startswith("13: sources.snow.proxy: holds a password")
    assert "letmein99" not in found[0]


def test_grants_name_what_they_lack(tmp_path: Path) -> None:
    text = GOOD.replace(
        'basic: {username: svc, password: "env:SNOW_PASSWORD"}',
        'oauth2: {grant: password, client_id: x, client_secret: "env:EXTRA"}',
    )
    assert "username and password" in faults(tmp_path, text)[0]


def test_a_document_inside_itself_is_refused(tmp_path: Path) -> None:
    assert "nested or repeated" in faults(tmp_path, "sources: &a {snow: *a}\n")[0]


def test_a_missing_file_and_a_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")
    assert "must be a mapping" in faults(tmp_path, "- 1\n")[0]


def test_adapters_of_several_folders(tmp_path: Path) -> None:
    for folder, name in (("a", "one"), ("a", "two"), ("b", "three")):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "adapter.yaml").write_text("adapter: x")
    (tmp_path / "a" / "no-manifest").mkdir()
    found = available_adapters([tmp_path / "a", tmp_path / "b"])
    assert list(found) == ["one", "three", "two"]
    config = read_config({"adapters": ["b"], "sources": {"s": {"adapter": "three"}}}, tmp_path, environ={})
    assert config.sources["s"].adapter == "three"
    (tmp_path / "b" / "one").mkdir()
    (tmp_path / "b" / "one" / "adapter.yaml").write_text("adapter: x")
    with pytest.raises(ConfigError, match="the adapter one is in"):
        available_adapters([tmp_path / "a", tmp_path / "b"])
