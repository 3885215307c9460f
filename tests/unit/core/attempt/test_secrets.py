"""Samples of secrets, one of a kind each, and ordinary lines of logs that must stay as they are. None of the secrets is real."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.attempt.redaction import names_secret, redacted

_A = "a1B2c3D4e5F6g7H8i9J0" * 4
_HEX = "0123456789abcdef" * 8
_PEM_BODY = "MIIEowIBAAKCAQEAxMIIEowIBAAKCAQEAx\nAbCdEfGhIjKlMnOpQrStUvWxYz0123456789\n"
S = "s3cr3tV4lue"

# Put together here, so that no scanner takes this file for a leak.
SAMPLES = {
    "password=": f"password={S}",
    "DB_PASS=": f"DB_PASS={S}",
    "db.pass=": f"spring.db.pass={S}",
    "pass=": f"user=me pass={S}",
    "passwd:": f"passwd: {S}",
    "passphrase": f"passphrase='{S} {S}'",
    "--password": f"tool --password {S}",
    "--db-pass": f"tool --db-pass {S}",
    "json": f'{{"clientSecret": "{S}"}}',
    "json in json": rf"{{\"api_key\": \"{S}\"}}",
    "api key": f"API_KEY={S}",
    "api-key header": f"X-Api-Key: {S}",
    "token header": f"X-Auth-Token: {S}",
    "private token": f"PRIVATE-TOKEN: {S}",
    "token with colon": f"token: {_A[:24]}",
    "authorization": f"Authorization: Basic {_A[:24]}",
    "bearer": f"sent bearer {_A[:24]}",
    "cookie": f"Cookie: session={S}",
    "url with password": f"postgres://me:{S}@db/x",
    "url with empty user": f"redis://:{S}@cache:6379/0",
    "url with token": f"https://{_A[:20]}@github.example/a.git",
    "signed url": f"https://b.example/k?X-Amz-Signature={_A[:20]}",
    "goog signature": f"https://b.example/k?X-Goog-Signature={_A[:20]}",
    "sas": f"https://a.blob.example/c?sv=1&sig={_A[:20]}",
    "connection string": f"AccountName=a;AccountKey={_A[:20]}==",
    "shared access key": f"Endpoint=sb://x;SharedAccessKey={_A[:20]}",
    "aws key id": "AK" + "IAIOSFODNN7EXAMPLE",
    "aws secret": f"aws_secret_access_key = {_A[:40]}",
    "google api key": "AI" + "za" + _A[:35],
    "google oauth": "ya" + "29." + _A[:30],
    "github": "gh" + "p_" + _A[:36],
    "github fine-grained": "github" + "_pat_" + _A[:40],
    "gitlab": "gl" + "pat-" + _A[:20],
    "gitlab runner": "gl" + "rt-" + _A[:20],
    "slack token": "xo" + "xb-1234567890-" + _A[:24],
    "slack hook": "https://hooks.slack.com/" + "services/T0000/B0000/" + _A[:24],
    "discord hook": "https://discord.com/api/" + "webhooks/123456/" + _A[:40],
    "teams hook": "https://x.webhook.office.com/" + "webhookb2/" + _A[:40],
    "stripe": "sk" + "_live_" + _A[:24],
    "stripe restricted": "rk" + "_live_" + _A[:24],
    "openai": "sk" + "-" + _A[:48],
    "openai project": "sk" + "-proj-" + _A[:48],
    "anthropic": "sk" + "-ant-api03-" + _A[:48],
    "hugging face": "hf" + "_" + _A[:34],
    "npm": "npm" + "_" + _A[:36],
    "pypi": "pypi-" + "AgE" + _A[:70],
    "sendgrid": "SG" + "." + _A[:22] + "." + _A[:43],
    "twilio": "AC" + _HEX[:32],
    "telegram": "12345678" + ":" + _A[:35],
    "digitalocean": "dop" + "_v1_" + _HEX[:64],
    "vault": "hvs" + "." + _A[:24],
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + _A[:20],
    "pem": f"-----BEGIN RSA PRIVATE KEY-----\n{_PEM_BODY}-----END RSA PRIVATE KEY-----",
    "pem without end": f"-----BEGIN EC PRIVATE KEY-----\n{_PEM_BODY}",
    "pem without beginning": f"{_PEM_BODY}-----END PRIVATE KEY-----",
    "pem with a cut header": f"RSA PRIVATE KEY-----\n{_PEM_BODY}",
    "pem on one line": "-----BEGIN PRIVATE KEY-----\\n" + _PEM_BODY.replace("\n", "\\n") + "-----END PRIVATE KEY-----",
    "openssh": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{_PEM_BODY}",
    "zero-width letters": f"pass\u200bword={S}",
    "soft hyphen": f"pass\u00adword={S}",
    "bidi": f"pass\u202eword={S}",
    "byte order mark": f"to\ufeffken={S}",
    "colours": f"pass\x1b[31mword={S}",
    "curl": f"curl -s -u me:{S} https://x",
    "sshpass": f"sshpass -p {S} ssh host",
}
ORDINARY = [
    "PASS=12 FAIL=3",
    "pass: 12 of 12 tests",
    '{"pass": 12, "fail": 0}',
    "pass 2 of 3: loss=0.12",
    "bypass=true is deprecated",
    "compass=north",
    "keyboard=us key=value keys=3",
    "cache key: user/42",
    "partition_key=2026-11-28",
    "monkey=1",
    "INFO task-12ab34cd56ef78 started on node gke-pool-1-a1b2c3d4-x9z8",
    "sha256:" + _HEX[:64],
    "commit 0123456789abcdef0123456789abcdef01234567",
    "uid 6f1c1f36-7f8a-4d9c-9a54-0e8f3c1a2b3d",
    "2026-11-28T03:04:05.123456Z ERROR exit status 137",
    "https://example.com/a/b?page=2&sort=asc",
    "https://registry.example/v2/library/busybox/manifests/1",
    "ssh://git@github.example/a/b.git",
    "git@github.example:team/repo.git",
    "user@example.com wrote to admin@example.org",
    "Traceback (most recent call last):",
    '  File "/app/main.py", line 12, in <module>',
    "KeyError: 'secret'",
    "unexpected token: }",
    "tokenizer=bert max_tokens=500 tokens: 12",
    "no secret was found",
    "the password is wrong",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
    "risk-adjusted return, desk-top, disk-usage-of-the-node-is-high",
    "basic usage of the tool",
    "status code=500 sig=11",
    "epoch 3: accuracy=0.9731 lr=1e-05",
    "S3 bucket s3://team-bucket/path/to/object.parquet",
    "10.0.0.1:5432 -> 10.0.0.2:40000",
]


@pytest.mark.parametrize("text", [pytest.param(text, id=f"L9 {name}") for name, text in SAMPLES.items()])
def test_l9_a_secret_is_redacted(text: str) -> None:
    shown = redacted(f"before {text}")
    assert shown.startswith("before ")
    assert "[redacted]" in shown
    for part in (S, _A[:16], _HEX[:16], "MIIE", "AbCdEfGh", "IOSFODNN"):
        assert part not in shown


@pytest.mark.parametrize("text", ORDINARY)
def test_l9_an_ordinary_line_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("key", "of_text", "want"),
    [
        ("pass", True, True),
        ("pass", False, False),
        ("password", False, True),
        ("passcode", True, True),
        ("compass", True, False),
        ("sig", True, True),
        ("signal", True, False),
    ],
)
def test_l9_names_of_outputs(key: str, of_text: bool, want: bool) -> None:
    assert names_secret(key, of_text=of_text) is want


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_l13_nothing_invisible_is_left(text: str) -> None:
    invisible = {chr(n) for n in (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xAD)}
    assert not set(redacted(text)) & invisible


@pytest.mark.parametrize(
    "part",
    [
        "password=",
        "\x1b]",
        "\x1b[0;",
        "://a:",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "A ",
        "ABCDEFGHIJKLMNOP \n",
        "curl ",
        "-token- ",
        "deadbeef",
        "sk-",
        "\u200b",
        "AKIA",
        "hooks.slack.com/",
        "xoxb-",
        "'",
        '\\"',
        "pass=",
    ],
)
def test_s5_no_text_takes_long(part: str) -> None:
    text = (part * 4096)[:4096]
    redacted(text)
    times = []
    for _ in range(5):
        began = time.process_time()
        redacted(text)
        times.append(time.process_time() - began)
    assert min(times) < 0.005
