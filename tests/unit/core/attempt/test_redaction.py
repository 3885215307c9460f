"""What is taken out of messages, and what must stay."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.attempt.redaction import names_secret, redacted

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAbc=\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (f"a {KEY} b", "a [redacted] b"),
        (KEY[:40], "[redacted]"),
        ("-----BEGIN PRIVATE KEY-----", "[redacted]"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
        ("aws_secret_access_key = wJalr/XUtn+FEMI", "aws_secret_access_key = [redacted]"),
        (f"jwt {JWT}!", "jwt [redacted]!"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"),
        ("use bearer abcdefghijklmnop123", "use bearer [redacted]"),
        ("password=hunter2 user=me", "password=[redacted] user=me"),
        ("DB_PASSWORD='hunt er' x", "DB_PASSWORD=[redacted] x"),
        ('{"api_token": "a\\"b", "n": 1}', '{"api_token": [redacted], "n": 1}'),
        (r"{\"password\": \"x y\"}", r"{\"password\": [redacted]}"),
        ("password: hunter2", "password: [redacted]"),
        ("run --password hunter2 now", "run --password [redacted] now"),
        ("run --db-token=abc now", "run --db-token=[redacted] now"),
        ("postgres://me:pa@ss@db:5432/x", "postgres://[redacted]@db:5432/x"),
        ("https://token:x-oauth-basic@github.com/a/b.git", "https://[redacted]@github.com/a/b.git"),
        ("https://b/k?a=1&X-Amz-Signature=abc", "https://b/k?a=1&X-Amz-Signature=[redacted]"),
        ("ghp_" + "a" * 36, "[redacted]"),
        ("pass\x1b[0mword=hunter2", "password=[redacted]"),
        ("pass\u202eword=hunter2", "password=[redacted]"),
        pytest.param('{"password"=>"hunter2", "n"=>1}', '{"password"=>[redacted], "n"=>1}', id="Ruby"),
        pytest.param("{:api_key=>'hunter2'}", "{:api_key=>[redacted]}", id="Ruby symbol"),
        pytest.param("[password] => hunter2 [n] => 1", "[password] => [redacted] [n] => 1", id="PHP"),
        pytest.param("config['password']: hunter2", "config['password']: [redacted]", id="index"),
        ("password:hunter2 api_key:'a b' passwd: =x", "password:[redacted] api_key:[redacted] passwd: [redacted]"),
        pytest.param("password := hunter2", "password := [redacted]", id="Go"),
        pytest.param("<db><password>hunter2</password></db>", "<db><password>[redacted]</password></db>", id="XML"),
        pytest.param('<x:api-key a="1">h 2</x:api-key>', '<x:api-key a="1">[redacted]</x:api-key>', id="XML attribute"),
        pytest.param("<token><![CDATA[h<2]]></token>", "<token>[redacted]</token>", id="XML CDATA"),
        pytest.param("<password>hunt", "<password>[redacted]", id="XML that was cut off"),
        *[
            pytest.param(f"{key}:{gap}{value} b", f"{key}:{gap}[redacted] b", id=f"L9 {key}:{gap}{value}")
            for key in (
                "DB_PASSWORD",
                "POSTGRES_PASSWORD",
                "PGPASSWORD",
                "dbPassword",
                "db.password",
                "db_pass",
                "MYSQL_PWD",
                "aws_secret_access_key",
                "stripe_api_key",
                "stripeApiKey",
                "secret_key_base",
                "azure_account_key",
                "client_secret",
            )
            for gap in ("", " ")
            for value in ("x", "'h x'", "12x")
        ],
        pytest.param("secret_key_base=x", "secret_key_base=[redacted]", id="L9 Rails"),
        pytest.param("s3_token: " + "a1" * 8, "s3_token: [redacted]", id="L9 a digit in the key"),
        pytest.param("pwd=x", "pwd=[redacted]", id="L9 the shortest"),
        *[
            pytest.param(f"pass{letter}word=hunter2", "password=[redacted]", id=f"U+{ord(letter):04X}")
            for letter in "\ufe0f\u034f\u3164\u115f\u1160\u17b4\u17b5\u180b\uffa0\ufff0\U000e0100\U000e01ef\U0001d173"
        ],
    ],
)
def test_a_secret_is_replaced(text: str, want: str) -> None:
    assert redacted(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no space left on device",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "AKIASHORT",
        "eyJust a word. And.another",
        "the bearer of bad news",
        "unexpected token: }",
        "max_tokens=500",
        "password_file=/etc/secret",
        "wrong password",
        "password_file: /etc/secret",
        "no access key: x",
        "tests_pass: 12",
        "tests_pass: 12, tests_fail: 3",
        "rate_pass: 97.5%",
        "will pass: x",
        "pwd: /home",
        "eos_token: </s>",
        "image_pull_secret: registry",
        'secret "db" not found',
        "ssh://git@github.com/a/b.git",
        "https://example.com:8443/a@b",
        "mail me@example.com: now",
        "ratio 1:2@3",
        "expected <token> but got <eof>",
        "<tokens>12</tokens>",
        "List<Token> is no Map<Token>",
        "if a[token] then",
        "tab\tand\nline end",
        "Grüße, 世界",
    ],
)
def test_near_misses_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title", ""),
        ("a\x00b\x07c\rd\x7fe\x9bf", "abcdef"),
        ("\u202eabc\u2066", "abc"),
        ("\x1bc\x1b(Bx", "x"),
    ],
)
def test_what_steers_terminals_is_removed(text: str, want: str) -> None:
    assert redacted(text) == want


@pytest.mark.parametrize(
    ("key", "want"),
    [("password", True), ("dbPassword", True), ("api-key", True), ("tokens", False), ("accuracy", False)],
)
def test_names_of_secrets(key: str, want: bool) -> None:
    assert names_secret(key) is want


@given(st.text(max_size=200))
def test_nothing_is_left_to_steer_a_terminal(text: str) -> None:
    assert not set(redacted(text)) & {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))}


@pytest.mark.parametrize(
    "part",
    [
        "x",
        "password=",
        "a:",
        "://a:",
        '"',
        "\\",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "--password ",
        "\x1b]",
        "a@",
        "<password>",
        "<password ",
        "[token]",
        "<token><![CDATA[",
        "DB_PASSWORD: ",
        "a_pass: 1",
        "_",
    ],
)
def test_no_text_takes_long(part: str) -> None:
    text = (part * 4096)[:4096]
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 0.5
