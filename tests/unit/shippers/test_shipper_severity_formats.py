"""The severities of lines as programs write them, by format, and of words that are none."""

import pytest

from shippers.parse.severity.severity import GUESSED, severity

FORMATS = {
    "nginx": [
        ("2026/11/22 13:00:00 [error] 31#31: *7 open() failed (2: No such file), client: 192.0.2.7", "error"),
        ("2026/11/22 13:00:00 [warn] 31#31: conflicting server name", "warning"),
        ("2026/11/22 13:00:00 [crit] 31#31: *1 SSL_do_handshake() failed", "crit"),
        ("2026/11/22 13:00:00 [alert] 31#31: worker process 33 exited on signal 11", "alert"),
        ("2026/11/22 13:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed", "emerg"),
        ("2026/11/22 13:00:00 [notice] 1#1: using the epoll event method", "notice"),
        ('nginx: [emerg] unknown directive "sever" in /etc/nginx/nginx.conf:3', "emerg"),
    ],
    "Apache": [
        ("[Sun Nov 22 13:00:00.123456 2026] [core:error] [pid 9:tid 140] [client 192.0.2.7:5] AH00126: x", "error"),
        ("[Sun Nov 22 13:00:00.123456 2026] [ssl:warn] [pid 9] AH01906: certificate is a CA", "warning"),
        ("[Sun Nov 22 13:00:00.123456 2026] [proxy:trace3] [pid 9] proxy_util.c(2162): x", "debug"),
        ("[Sun Nov 22 13:00:00 2026] [crit] (98)Address already in use", "crit"),
    ],
    "PostgreSQL": [
        ("2026-11-22 13:00:00.123 UTC [71] LOG:  checkpoint starting: time", "notice"),
        ("2026-11-22 13:00:00.123 CET [71] app@shop ERROR:  deadlock detected", "error"),
        ('2026-11-22 13:00:00.123 UTC [71] FATAL:  password authentication failed for user "shop"', "crit"),
        ("2026-11-22 13:00:00.123 UTC [71] PANIC:  could not write to file", "emerg"),
        ("2026-11-22 13:00:00.123 UTC [71] WARNING:  there is no transaction in progress", "warning"),
        ("2026-11-22 13:00:00.123 UTC [71] DEBUG2:  CommitTransaction(1)", "debug"),
        ("2026-11-22 13:00:00.123 UTC [71] LOG:  duration: 1.2 ms  statement: SELECT 'ERROR: no'", "notice"),
        ("Nov 22 13:00:00 db1 postgres[71]: [3-1] LOG:  could not receive data from client", "notice"),
    ],
    "MySQL and MariaDB": [
        ("2026-11-22T13:00:00.123456Z 0 [System] [MY-010116] [Server] mysqld (8.0.40) starting", "notice"),
        ("2026-11-22T13:00:00.123456Z 0 [Note] [MY-010733] [Server] Shutting down plugin", "notice"),
        ("2026-11-22T13:00:00.123456Z 8 [Warning] [MY-010055] [Server] IP address could not be resolved", "warning"),
        ("2026-11-22T13:00:00.123456Z 0 [ERROR] [MY-010119] [Server] Aborting", "error"),
        ("2026-11-22 13:00:00 0 [Note] InnoDB: Buffer pool(s) load completed", "notice"),
        ("261122 13:00:00 [ERROR] Can't start server: Bind on TCP/IP port", "error"),
    ],
    "Redis": [
        ("1:M 22 Nov 2026 13:00:00.123 * Ready to accept connections", "notice"),
        ("1:C 22 Nov 2026 13:00:00.123 # WARNING Memory overcommit must be enabled!", "warning"),
        ("812:S 22 Nov 2026 13:00:00.123 - 0 clients connected", "info"),
        ("812:X 22 Nov 2026 13:00:00.123 . Error condition that is only for debugging", "debug"),
        ("[812] 22 Nov 13:00:00.123 # Server started", "warning"),
    ],
    "MongoDB": [
        ("2026-11-22T13:00:00.123+0000 I NETWORK  [conn7] end connection 127.0.0.1:1 (0 connections)", "info"),
        ("2026-11-22T13:00:00.123+0000 W STORAGE  [initandlisten] Recovering data", "warning"),
        ("2026-11-22T13:00:00.123+0000 E -        [conn7] Assertion: 13", "error"),
        ("2026-11-22T13:00:00.123+0000 F CONTROL  [main] ** aborting", "crit"),
        ("2026-11-22T13:00:00.123+0000 D2 COMMAND  [conn7] run command", "debug"),
        ('{"t":{"$date":"2026-11-22T13:00:00.123+00:00"},"s":"E",  "c":"NETWORK",  "id":1,"msg":"x"}', "error"),
        ('{"t":{"$date":"2026-11-22T13:00:00.123+00:00"},"s":"D1", "c":"QUERY",  "id":1,"msg":"x"}', "debug"),
    ],
    "HAProxy": [
        ("[WARNING] 325/130000 (1) : Server app/a1 is DOWN", "warning"),
        ("[NOTICE]   (1) : New worker (8) forked", "notice"),
        ("[ALERT]    (1) : config : parsing [/etc/haproxy/haproxy.cfg:3]", "alert"),
    ],
    "Postfix, Dovecot and sshd": [
        ("Nov 22 13:00:00 mx1 postfix/smtpd[7]: warning: hostname x.example does not resolve", "warning"),
        ("Nov 22 13:00:00 mx1 postfix/master[7]: fatal: open lock file: in use", "crit"),
        ("Nov 22 13:00:00 mx1 postfix/cleanup[7]: panic: vstream_fseek: bad whence", "emerg"),
        ("Nov 22 13:00:00 mx1 postfix/smtp[7]: error: open database /etc/postfix/tls.db", "error"),
        ("Nov 22 13:00:00 mx1 dovecot: imap(anna)<7><x>: Error: Mailbox INBOX: is broken", "error"),
        ("Nov 22 13:00:00 auth-worker(7): Warning: conn unix: slow", "warning"),
        ("Nov 22 13:00:00 imap-login: Info: Login: user=<anna>", "info"),
        ("Nov 22 13:00:00 gate sshd[7]: error: kex_exchange_identification: closed", "error"),
        ("Nov 22 13:00:00 gate sshd[7]: fatal: Timeout before authentication", "crit"),
        ("fatal: Timeout before authentication for 192.0.2.7", "crit"),
    ],
    "kernel": [
        ("<4>[   12.345678] nf_conntrack: table full, dropping packet", "warning"),
        ("kern  :err   : [   12.345678] ata1: link is slow to respond", "error"),
        ("Nov 22 13:00:00 host kernel: [   12.345678] WARNING: CPU: 0 PID: 7 at mm/x.c:1", "warning"),
        ("Nov 22 13:00:00 router user.warn kernel: [   12.345678] IN=br0 OUT=", "warning"),
        ("Nov 22 13:00:00 router daemon.err dnsmasq[7]: failed to bind", "error"),
    ],
    "log4j and logback": [
        ("13:00:00.123 [main] WARN  com.example.Shop - slow", "warning"),
        ("2026-11-22 13:00:00,123 ERROR [http-nio-1] c.e.Shop: failed", "error"),
        ("2026-11-22 13:00:00,123 [pool-1-thread-2] FATAL com.example.Shop - gone", "crit"),
        ("[2026-11-22T13:00:00,123][WARN ][o.e.m.j.JvmGcMonitor] [node-1] overhead", "warning"),
        ("[2026-11-22 13:00:00,123] TRACE [Broker id=1] x (kafka.log.Log)", "debug"),
        ("22-Nov-2026 13:00:00.123 SEVERE [main] org.apache.catalina.core.StandardService x", "error"),
        ("261122 130000 148 WARN dfs.DataNode: slow", "warning"),
    ],
    "Python": [
        ("WARNING:root:slow", "warning"),
        ("CRITICAL:shop.db:gone", "crit"),
        ("2026-11-22 13:00:00,123 - shop.db - ERROR - gone", "error"),
        ("[2026-11-22 13:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:8)", "crit"),
        ("[2026-11-22 13:00:00,123: ERROR/MainProcess] Task failed", "error"),
        ('INFO:     192.0.2.7:5000 - "GET /error HTTP/1.1" 500 Internal Server Error', "info"),
        ("2026-11-22 13:00:00.123 | DEBUG    | shop.db:connect:12 - trying", "debug"),
    ],
    "Go": [
        ("E1122 13:00:00.000000       7 reflector.go:138] Failed to watch", "error"),
        ("I1122 13:00:00.000000       7 server.go:9] ERROR is only a word here", "info"),
        ("F20261122 13:00:00.000000       7 main.cc:9] gone", "crit"),
        ("2026-11-22T13:00:00.123Z\tdebug\tserver/main.go:12\tlistening", "debug"),
        ("2026-11-22T13:00:00.123+0100\tWARN\tserver/main.go:12\tslow", "warning"),
        ("2026-11-22T13:00:00.123Z\tDPANIC\tserver/main.go:12\todd", "crit"),
        ('time=2026-11-22T13:00:00.123Z level=WARN msg="slow"', "warning"),
        ("time=2026-11-22T13:00:00.123Z level=ERROR+4 msg=gone", "error"),
        ('{"time":"2026-11-22T13:00:00Z","level":"INFO+2","msg":"x"}', "info"),
        ('{"time":"2026-11-22T13:00:00Z","level":"DEBUG-4","msg":"x"}', "debug"),
        ("WARN[0012] slow                                         pod=a", "warning"),
        ("FATA[0000] gone", "crit"),
        ('1:00PM ERR gone error="x"', "error"),
        ("2026-11-22T13:00:00Z DBG trying", "debug"),
        ('time="2026-11-22T13:00:00Z" level=fatal msg="no error was found"', "crit"),
    ],
    "Rust": [
        ("2026-11-22T13:00:00.123456Z  WARN shop::db: slow", "warning"),
        ("2026-11-22T13:00:00.123456Z ERROR request{id=7}: shop::db: gone", "error"),
        ("\x1b[2m2026-11-22T13:00:00.123456Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mshop\x1b[0m: gone", "error"),
        ("[2026-11-22T13:00:00Z TRACE shop::db] x", "debug"),
    ],
    "Node": [
        ('{"level":40,"time":1795352400250,"pid":7,"hostname":"a","msg":"slow"}', "warning"),
        ('{"level":60,"time":1795352400250,"pid":7,"hostname":"a","msg":"gone"}', "crit"),
        ('{"level":"error","message":"gone","timestamp":"2026-11-22T13:00:00Z"}', "error"),
        ('{"message":"coloured","level":"\\u001b[33mwarn\\u001b[39m"}', "warning"),
        ('warn: slow {"service":"shop"}', "warning"),
        ("2026-11-22T13:00:00.123Z error: gone", "error"),
        ("2026-11-22 13:00:00 [shop] info: listening", "info"),
        ("[13:00:00.123] WARN (7): slow", "warning"),
    ],
    "PHP": [
        ("[22-Nov-2026 13:00:00 UTC] PHP Warning:  Undefined variable $x in /srv/x.php on line 3", "warning"),
        ("[22-Nov-2026 13:00:00 Europe/Vienna] PHP Notice:  Undefined index", "notice"),
        ("[22-Nov-2026 13:00:00 UTC] PHP Fatal error:  Uncaught Error: Call to a member function", "error"),
        ("PHP Parse error:  syntax error, unexpected token in /srv/x.php on line 3", "error"),
        ("[22-Nov-2026 13:00:00] NOTICE: fpm is running, pid 1", "notice"),
        ("[22-Nov-2026 13:00:00] WARNING: [pool www] child 7 exited on signal 9", "warning"),
        ('[2026-11-22 13:00:00] production.CRITICAL: gone {"exception":"x"}', "crit"),
        ('{"message":"x","context":{},"level":300,"level_name":"WARNING","channel":"app"}', "warning"),
        ('{"message":"x","level":550}', "alert"),
    ],
    "JSON": [
        ('{"log":{"level":"warn"},"message":"nested"}', "warning"),
        ('{"log":"WARN slow\\n","stream":"stderr","time":"2026-11-22T13:00:00Z"}', "warning"),
        ('{"@level":"error","@message":"x"}', "error"),
        ('{"@t":"2026-11-22T13:00:00Z","@mt":"x","@l":"Fatal"}', "crit"),
        ('{"Timestamp":"x","LogLevel":"Information"}', "info"),
        ('{"severityText":"WARN","body":"x"}', "warning"),
        ('{"PRIORITY":"3","MESSAGE":"x"}', "error"),
        ('{"reqId":"x","level":2,"message":"Nextcloud"}', "warning"),
        ('Nov 22 13:00:00 host app[7]: {"msg":"x","level":"error"}', "error"),
        ('{"msg":"cut in the middle","severity": "WARNING","more":"', "warning"),
    ],
    "others": [
        ("2026-11-22T13:00:00.123Z Wa(164) Hostd[7]: [Originator@6876] x", "warning"),
        ("2026-11-22T13:00:00.123Z verbose vpxd[7] [Originator@6876 sub=x] y", "debug"),
        ("[2026-11-22 13:00:00.123 7F03ECE76700 error 'Default'] x", "error"),
        ("(Sun Nov 22 13:00:00 2026) [sssd[be[x]]] [sbus_dispatch] (0x0040): x", "error"),
        ("(2026-11-22 13:00:00): [nss] [cache_req] (0x2000): fatal is a word here", "debug"),
        ("11-22 13:00:00.123  1000  1234  5678 E Tag: x", "error"),
        ("W/Tag( 123): x", "warning"),
        ("W [22/Nov/2026:13:00:00 +0100] [Job 7] x", "warning"),
        ("X [22/Nov/2026:13:00:00 +0100] no memory", "emerg"),
        ("d [22/Nov/2026:13:00:00 +0100] select_timeout(0)", "debug"),
        ("20261122 13:00:00.123 - FAIL - 1 != 2", "error"),
        ("2026-11-22 13:00:00.123 UTC 64bf 0 DB user [local] 77 5ERROR:  syntax", "error"),
        ("W: GPG error: http://deb.example.org x", "warning"),
        ("E, [2026-11-22T13:00:00.123456 #7] ERROR -- : x", "error"),
        ("fail: Microsoft.AspNetCore.Server.Kestrel[13]", "error"),
        ("dbug: Shop.Db[0]", "debug"),
        ("[13:00:00 WRN] slow", "warning"),
        ("2026-11-22 13:00:00.1234|Error|Shop|gone", "error"),
        ("22-Nov-2026 13:00:00.123 general: warning: x", "warning"),
        ("[1795352400] unbound[7:0] error: x", "error"),
        ("2026-11-22 13:00:00.123456+00:00 [warning] <0.1.0> x", "warning"),
        ("=ERROR REPORT==== 22-Nov-2026::13:00:00.123 ===", "error"),
        ("2026-11-22T13:00:00.123456789Z stderr F E1122 13:00:00.000000       7 main.go:1] x", "error"),
        ('2026-11-22T13:00:00.123456789Z stdout F {"level":"warn"}', "warning"),
        ("npm ERR! code E404", "error"),
        ("shop.db - error - gone", "error"),
        ("shop | warn | slow", "warning"),
        ("src/main.c:12:5: warning: unused variable", "warning"),
    ],
}


@pytest.mark.parametrize(
    ("line", "expected"), [each for lines in FORMATS.values() for each in lines], ids=lambda text: text[:60]
)
def test_a_format_states_its_level(line: str, expected: str) -> None:
    assert severity(line, "alert" if expected != "alert" else "info") == (expected, "stated")


AT = "[22/Nov/2026:13:00:00 +0100]"
FROM = "192.0.2.7:333 [22/Nov/2026:13:00:00.123] web app/a1"
ERROR, WARNING, NEITHER = ("error", "guessed"), ("warning", "guessed"), ("notice", "default")
QUEUES = "10/0/30/69/109"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'192.0.2.7 - anna {AT} "GET /error?x=ERROR HTTP/1.1" 200 7 "-" "curl"', NEITHER),
        (f'192.0.2.7 - - {AT} "GET /a+ERROR:+b HTTP/1.1" 304 0', NEITHER),
        (f'192.0.2.7 - - {AT} "GET / HTTP/1.1" 404 7 "-" "curl"', WARNING),
        (f'192.0.2.7 - - {AT} "POST /pay HTTP/2.0" 503 7 "-" "curl"', ERROR),
        (f'192.0.2.7 - - {AT} "-" 408 -', WARNING),
        (f'2001:db8::7 - - {AT} "GET /\\"x\\" 200 HTTP/1.1" 500 7', ERROR),
        (f'shop.example:443 192.0.2.7 - - {AT} "GET /an+error HTTP/1.1" 200 7', NEITHER),
        (f'Nov 22 13:00:00 w1 nginx: 192.0.2.7 - - {AT} "GET / HTTP/1.1" 502 7', ERROR),
        (f'Nov 22 13:00:00 lb haproxy[7]: {FROM} {QUEUES} 503 2750 - - SC-- 1/1/1/1/0 0/0 "GET / x"', ERROR),
        (f'{FROM} {QUEUES} 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / x"', NEITHER),
        ("1795352400.123    110 192.0.2.7 TCP_MISS/504 1234 GET http://x.example/ - DIRECT/- -", ERROR),
        ("1795352400.123    110 192.0.2.7 TCP_HIT/200 1234 GET http://x.example/error - NONE/- -", NEITHER),
    ],
)
def test_of_an_access_log_the_status_decides(line: str, expected: tuple[str, str]) -> None:
    assert severity(line, "notice") == expected


@pytest.mark.parametrize(
    "line",
    [
        "backup done: 0 errors",
        "backup done, errors: 0, warnings: 0",
        "error_code=0",
        "error code: 0",
        "error: 0",
        "Error: none",
        "last error: null",
        "no error",
        "No errors found",
        "there is no fatal error",
        "this is not an error",
        "finished without error",
        "finished without any error",
        "zero error",
        "0 WARN, 0 ERROR",
        "13:00:00 error log opened",
        "no warning or error",
        "neither error nor warning",
        "no critical or fatal error",
        "warn: 0, err: 0, crit: 0",
        "ERROR: 0, WARN: 0",
        "Error: Success",
        "error: no error",
        "0 error(s), 0 warning(s)",
        "C: 45.2",
        "T: 20",
        'shop "TRACE / HTTP/1.1" seen',
        "an error-free run",
        "see /var/log/error.log",
        "rotating error.log",
        "opening error log",
        "error handler registered",
        "error=0 warning=0",
        'status="error"',
        "the error_log directive",
        "mirrors, terrors and Errorless",
        "GET /error",
        "more info: see the manual",
        "a debug: of mine",
        "LOG: x",
        '{"error":null,"errors":[]}',
        "2026-11-22 13:00:00.123 UTC [71] DETAIL:  Process 7 waits; an error follows",
        "2026-11-22 13:00:00.123 UTC [71] STATEMENT:  SELECT 'ERROR'",
        "INF is infinite, FTL is faster than light",
        "I am a sentence",
        "9ERROR is glued to a number",
        "Every line is one",
        "<999>not a priority",
        "FINER=1 INFO=2 ERROR=3",
        "either ERROR/WARN or neither",
        '{"t":1,"s":"E"}',
        "",
    ],
)
def test_a_word_in_a_message_is_no_level(line: str) -> None:
    assert severity(line, "notice") == ("notice", "default")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rsync: error: No space left on device", "error"),
        ("error: 0 is not allowed here", "error"),
        ("lib 2.0 ERROR in main", "error"),
        ("Error: no such file", "error"),
        ("ERROR 0x80070005", "error"),
        ("[worker] ERROR Handler dispatch failed", "error"),
        ("ERROR rate limit exceeded", "error"),
        ("rank 0 ERROR x", "error"),
        ('"2026-11-22 13:00:00","ERROR","gone"', "error"),
        ("fatal: not a git repository", "crit"),
    ],
)
def test_what_only_looks_like_a_negation_is_a_level(line: str, expected: str) -> None:
    assert severity(line, "notice") == (expected, "stated")


@pytest.mark.parametrize(
    "line",
    [
        '{"level":' * 100_000,
        '1.2.3.4 - - [22/Nov/2026:13:00:00 +0100] "' + "\\x" * 500_000,
        "2026-11-22T13:00:00.123456789Z stdout F " * 25_000,
        "(" + "a" * 30 + ") " + "[x] " * 250_000,
        "1:" * 500_000,
        " error" * 170_000,
        "\x1b[31m" * 200_000,
        "1.1.1.1:1 [22/Nov/2026:13:00:00.123] " + "a " * 500_000 + '"',
    ],
    ids=lambda line: line[:20],
)
def test_a_long_line_costs_no_more_than_reading_it(line: str) -> None:
    assert severity(line)[1] in ("stated", "guessed", "default")


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "ValueError: no card",
        "botocore.exceptions.ClientError: denied",
        'Exception in thread "main" java.lang.IllegalStateException: closed',
        "java.lang.NullPointerException",
        "Caused by: java.io.IOException: broken",
        "TypeError: Cannot read properties of undefined (reading 'id')",
    ],
)
def test_how_an_exception_begins_is_a_guess_of_an_error(line: str) -> None:
    assert severity(line) == ("error", GUESSED)


@pytest.mark.parametrize("line", ["the ValueErrors of today", "NoErrorException is fine", "a.b.c.d: x", "KeyErrors: 5"])
def test_what_only_looks_like_one_is_none(line: str) -> None:
    assert severity(line) == ("info", "default")
