#!/usr/bin/env bash
# What the tests need beside Python: installed when run as root on Debian, named otherwise.
set -euo pipefail

missing=()
command -v chromium > /dev/null || missing+=(chromium)
fc-list ':lang=zh-cn' 2> /dev/null | grep -q . || missing+=(fontconfig fonts-noto-cjk)
command -v mosquitto > /dev/null || test -x /usr/sbin/mosquitto || missing+=(mosquitto)
test -f /usr/lib/python3/dist-packages/osgeo_utils/samples/validate_gpkg.py || missing+=(python3-gdal)

[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
else
    echo "the tests need these Debian packages: ${missing[*]}; install them, then run make test again" >&2
    exit 1
fi
