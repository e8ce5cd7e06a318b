#!/usr/bin/env bash
# What the tests drive: Chromium (and, where there is a package, its shell without windows), PostgreSQL, Redis, coturn, espeak-ng for speech, curl, libfaketime for clocks that
# step, and GStreamer as a client of WHIP and WHEP.
# Installs by apt what is missing, where it may (root, or sudo without a password); elsewhere prints the command to run.
# A second call only looks.
# Under CI=true a program that is still missing afterwards is a failure.
#
# Only the programs are wanted: the tests start their own servers, on free ports. So no service is started by the
# installation, and none that it brought is left to start with the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

have_chromium() {
    command -v chromium >/dev/null || command -v google-chrome >/dev/null ||
        compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-${HOME:-}/.cache/ms-playwright}/chromium-*/chrome-linux*/chrome" >/dev/null
}
have_headless_shell() { command -v chromium-headless-shell >/dev/null; }
have_postgresql() { command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
have_redis() { command -v redis-server >/dev/null; }
have_coturn() { command -v turnserver >/dev/null; }
have_espeak() { command -v espeak-ng >/dev/null; }
have_curl() { command -v curl >/dev/null; }
have_gstreamer() {
    /usr/bin/python3 -c 'import gi; gi.require_version("GstWebRTC", "1.0"); gi.require_version("GstSdp", "1.0")' 2>/dev/null &&
        compgen -G '/usr/lib/*/gstreamer-1.0/libgstwebrtc.so' >/dev/null && compgen -G '/usr/lib/*/gstreamer-1.0/libgstnice.so' >/dev/null &&
        compgen -G '/usr/lib/*/gstreamer-1.0/libgstopus.so' >/dev/null && compgen -G '/usr/lib/*/gstreamer-1.0/libgstrtp.so' >/dev/null
}
gstreamer='python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad'
have_faketime() { compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null; }

# Ubuntu's package `chromium` only fetches a snap, which sees neither /tmp nor hidden folders: that is none.
apt_has() {
    local candidate
    candidate=$(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ {print $2}')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] && [[ "$candidate" != *snap* ]]
}

# Nice to have: the tests do with Chromium itself, which takes them twice the CPU.
lacks_headless_shell() { ! have_headless_shell && apt_has chromium-headless-shell; }

missing() {
    have_chromium || echo chromium
    have_postgresql || echo postgresql
    have_redis || echo redis-server
    have_coturn || echo coturn
    have_espeak || echo espeak-ng
    have_curl || echo curl
    have_faketime || echo faketime
    have_gstreamer || printf '%s\n' $gstreamer
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
may_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

# While a file policy-rc.d answers 101, no package may start its service (Debian policy, invoke-rc.d).
policy=/usr/sbin/policy-rc.d
hold_services() {
    [ -e $policy ] && return
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    trap 'as_root rm -f $policy' EXIT
}

keep_off() {
    local service
    command -v systemctl >/dev/null || return 0
    for service in "$@"; do
        case $service in postgresql | redis-server | coturn) as_root systemctl disable --quiet "$service" 2>/dev/null || true ;; esac
    done
}

install() {
    local options=(-y -qq --no-install-recommends -o DPkg::Lock::Timeout=300) packages=() name
    as_root apt-get update -qq
    for name in "$@"; do
        if [ "$name" != chromium ]; then
            packages+=("$name")
        elif apt_has chromium; then
            packages+=(chromium fonts-liberation)
        fi
    done
    if [ ${#packages[@]} -gt 0 ]; then
        echo "Installing ${packages[*]} (apt)"
        hold_services
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${packages[@]}"
        keep_off "$@"
    fi
    if lacks_headless_shell; then
        echo "Installing chromium-headless-shell (apt)"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" chromium-headless-shell ||
            echo "It could not be installed: the tests use Chromium itself, and take longer." >&2
    fi
    if ! have_chromium; then
        echo "No Chromium package here: installing Playwright's own build"
        .venv/bin/python -m playwright install --with-deps chromium
    fi
}

mapfile -t wanted < <(missing)
if [ ${#wanted[@]} -eq 0 ] && ! { may_install && lacks_headless_shell; }; then exit 0; fi

if may_install; then
    install "${wanted[@]}" || echo "The installation did not succeed; see above." >&2
    mapfile -t wanted < <(missing)
    [ ${#wanted[@]} -eq 0 ] && exit 0
fi

echo "Missing for the tests: ${wanted[*]}. To install:" >&2
echo "    sudo apt-get install --no-install-recommends ${wanted[*]}" >&2
if [[ " ${wanted[*]} " == *" chromium "* ]] && ! apt_has chromium; then
    echo "or, for Chromium where apt only has a snap:  .venv/bin/python -m playwright install --with-deps chromium" >&2
fi
if [ "${CI:-}" = true ]; then
    echo "CI=true: nothing may be missing." >&2
    exit 1
fi
echo "Tests that need them are skipped." >&2
