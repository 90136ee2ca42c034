#!/bin/sh
# Unpacks the peers that `make bench` measures against into .peers/: syslog-ng and rsyslog, whose packages exclude each
# other, so that neither is installed. By apt where root allows; elsewhere the table says "not installed".
set -eu
cd "$(dirname "$0")/.."
if [ -x .peers/usr/sbin/syslog-ng ] && [ -x .peers/usr/sbin/rsyslogd ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "the peers cannot be fetched here (that takes root and apt-get); the table goes without them" >&2
    exit 0
fi
archives=$PWD/.peers/archives
mkdir -p "$archives/partial"
apt-get update -qq
for packages in "syslog-ng-core syslog-ng-mod-amqp" rsyslog; do
    # shellcheck disable=SC2086  # two names
    apt-get install -qq -y --no-install-recommends --reinstall --download-only \
        -o Dir::Cache::archives="$archives" $packages >/dev/null || echo "$packages: not to be had" >&2
done
for archive in "$archives"/*.deb; do
    [ -e "$archive" ] && dpkg -x "$archive" .peers
done
rm -rf "$archives"
