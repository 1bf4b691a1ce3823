#!/usr/bin/env bash
# Checks the files of deploy/: that systemd understands all of them, that the service is locked in, and, given the
# path of a built sellerd, that the commands they call exist and the sample configuration is accepted.
#
#   deploy/check.sh [target/debug/sellerd]
set -euo pipefail
cd "$(dirname "$0")/systemd"

# In tenths: at most 1.5 of 10.
max_exposure=15

fail() {
    echo "deploy/check.sh: $*" >&2
    exit 1
}

binary=${1:-}
if [[ -n $binary ]]; then
    [[ $binary = /* ]] || binary=$OLDPWD/$binary
    [[ -x $binary ]] || fail "$binary is not there or cannot be executed; build it first: cargo build"
fi
command -v systemd-analyze >/dev/null || fail "systemd-analyze is missing; it is in Debian's package systemd"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "unit: systemd-analyze verify"
# It wants ExecStart= to exist. Without a binary of ours, any will do. What it says about other units of this
# machine is not our concern; whatever it says about ours is, since an ignored key is only a warning to it.
sed "s,/usr/bin/sellerd,${binary:-/bin/true}," sellerd.service >"$scratch/sellerd.service"
status=0
systemd-analyze verify --man=no "$scratch/sellerd.service" >"$scratch/verify" 2>&1 || status=$?
if ((status != 0)) || grep -q 'sellerd' "$scratch/verify"; then
    cat "$scratch/verify" >&2
    fail "sellerd.service has mistakes (exit code $status)"
fi

echo "unit: exposure at most $((max_exposure / 10)).$((max_exposure % 10))"
systemd-analyze security --offline=true --threshold=$max_exposure "$PWD/sellerd.service" >"$scratch/security" ||
    { cat "$scratch/security" >&2 && fail "sellerd.service is exposed too much"; }
tail -n 1 "$scratch/security"

echo "unit: decisions that must not be lost"
grep -qx 'RestartPreventExitStatus=78' sellerd.service || fail "an invalid configuration would be restarted"
! grep -q '^ExecStartPre=' sellerd.service || fail "ExecStartPre= undoes RestartPreventExitStatus="

if ((EUID == 0)); then
    echo "sysusers and tmpfiles: applied to an empty root"
    root=$scratch/root
    mkdir -p "$root/etc" "$root/var/lib"
    systemd-sysusers --root="$root" "$PWD/sellerd.sysusers"
    grep -q '^sellerd:' "$root/etc/passwd" || fail "sellerd.sysusers makes no user sellerd"
    systemd-tmpfiles --root="$root" --create "$PWD/sellerd.tmpfiles"
    [[ $(stat -c %a "$root/etc/sellerd/secrets") = 700 ]] || fail "the secrets could be read by others"
    [[ $(stat -c %a "$root/var/lib/sellerd") = 700 ]] || fail "the state could be read by others"
else
    echo "sysusers and tmpfiles: not applied, since that needs root"
fi

[[ -n $binary ]] || exit 0

echo "unit: its commands exist"
sed -n 's,^Exec[A-Za-z]*=/usr/bin/sellerd ,,p' sellerd.service >"$scratch/commands"
[[ -s $scratch/commands ]] || fail "sellerd.service calls no sellerd"
while read -r -a command; do
    "$binary" "${command[@]}" --help >/dev/null || fail "\`sellerd ${command[*]}\` is no command of $binary"
done <"$scratch/commands"

echo "sample configuration: accepted"
config=$scratch/config
mkdir -p "$config/jobs" "$scratch/state"
install -d -m 0700 "$config/secrets"
sed "s,^state_dir = .*,state_dir = \"$scratch/state\"," sellerd.toml >"$config/sellerd.toml"
for key in consumer_key consumer_secret token token_secret; do echo "$key = \"sample\""; done |
    install -m 0600 /dev/stdin "$config/secrets/cm-main.toml"
"$binary" --config "$config" config check >"$scratch/config-check" 2>&1 ||
    { cat "$scratch/config-check" >&2 && fail "sellerd.toml is not accepted"; }
