#!/bin/sh
# Unpacks a newer RabbitMQ than this machine's for the tests: `4` is Debian 13's into .rabbitmq/4, `4.3` Debian
# unstable's into .rabbitmq/4.3. Nothing is installed and root is not needed: apt works on lists of its own here, from
# the mirror that this machine uses, and what needs a newer C library than this machine's is started by its own loader.
# Status 1, with the reason, where that cannot be.
set -eu
cd "$(dirname "$0")/.."

version=${1:-4}
case $version in
    4) suite=trixie ;;
    4.3) suite=sid ;;
    *) echo "RabbitMQ $version: 4 and 4.3 can be had" >&2 && exit 1 ;;
esac
tree=$PWD/.rabbitmq/$version
[ -e "$tree/complete" ] && exit 0

refuse() {
    echo "RabbitMQ $version cannot be had here: $1" >&2
    exit 1
}
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for needed in "$(command -v apt-get)" "$(command -v dpkg)" "$keys"; do
    [ -e "$needed" ] || refuse "this is no Debian"
done
mirror() {
    # shellcheck disable=SC2016  # for apt to read
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1
}
if [ -z "$(mirror)" ] && [ "$(id -u)" = 0 ]; then apt-get update -qq || true; fi
[ -n "$(mirror)" ] || refuse "apt has no lists of Debian's packages; apt-get update brings them"

echo "unpacking RabbitMQ of Debian $suite into .rabbitmq/$version (some 60 MB to fetch)"
rm -rf "$tree"
apt=$tree/apt
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
echo "deb [signed-by=$keys] $(mirror) $suite main" >"$apt/sources.list"
private() {
    apt-get -qq -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
        -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
private update || refuse "the lists of $suite cannot be fetched"
private install -y --no-install-recommends --download-only rabbitmq-server >/dev/null || refuse "it cannot be fetched"
for package in "$apt"/cache/archives/*.deb; do
    case ${package##*/} in # of all that it needs what runs in its process; its scripts find the rest on this machine
        libpython*) ;;
        rabbitmq-server_* | erlang-* | lib* | zlib1g_*) dpkg -x "$package" "$tree" ;;
    esac
done
rm -rf "$apt"

loader=$(find "$tree/usr/lib" -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)
[ -n "$loader" ] || refuse "no loader of a C library was unpacked"
loader=${loader#"$tree/"}
erlang=$tree/usr/lib/erlang
find "$erlang" -type f -perm -100 ! -name '*.so*' | while read -r program; do
    case $(od -An -c -N4 "$program") in *E*L*F*) ;; *) continue ;; esac
    directory=${program%/*}
    up=$(echo "${directory#"$tree/"}" | sed 's|[^/][^/]*|..|g')
    mkdir -p "$directory/own"
    mv "$program" "$directory/own/"
    cat >"$program" <<END
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
exec "\$here/$up/$loader" --argv0 "\$0" --library-path "\$here/$up/${loader%/*}" "\$here/own/${program##*/}" "\$@"
END
    chmod +x "$program"
done
# shellcheck disable=SC2016  # for that script to read
sed -i 's|^\( *ROOTDIR=\)/usr/lib/erlang|\1$(dirname "$(dirname "$(readlink -f "$0")")")|' "$erlang/bin/erl"
touch "$tree/complete"
