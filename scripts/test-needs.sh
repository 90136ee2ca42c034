#!/bin/sh
# Installs the programs that the tests start by themselves, by apt where root allows. Elsewhere it says what is missing;
# those tests are then skipped, with one line, or fail where CI=true.
set -eu
packages="rabbitmq-server zstd openssl strace rsyslog systemd-journal-remote"
missing=no
for program in /usr/lib/rabbitmq/bin/rabbitmq-server zstd openssl strace rsyslogd /lib/systemd/systemd-journal-remote; do
    command -v "$program" >/dev/null || missing=yes
done
if [ $missing = no ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $packages by apt-get, for the tests (about a minute; nothing is started)"
    if ! [ -e /usr/sbin/policy-rc.d ]; then
        # Keep the packages from starting servers; the tests start private ones on loopback.
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $packages >/dev/null
else
    echo "Some programs are not installed; the tests that need them are skipped. Try:  sudo apt-get install $packages" >&2
fi
