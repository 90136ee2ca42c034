#!/bin/sh
# Installs the servers that the tests start by themselves: RabbitMQ, by apt where root allows. Elsewhere it says what is
# missing; those tests are then skipped, with one line, or fail where CI=true.
set -eu
server=/usr/lib/rabbitmq/bin/rabbitmq-server
if [ -e "$server" ] && command -v zstd >/dev/null && command -v openssl >/dev/null && command -v strace >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing rabbitmq-server by apt-get, for the tests that need a broker (about a minute; it is not started)"
    if ! [ -e /usr/sbin/policy-rc.d ]; then
        # Keep the package from starting a broker of its own; the tests start private ones on loopback.
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends rabbitmq-server zstd openssl strace >/dev/null
else
    echo "RabbitMQ is not installed; the tests that need it are skipped. Try:  sudo apt-get install rabbitmq-server zstd openssl strace" >&2
fi
