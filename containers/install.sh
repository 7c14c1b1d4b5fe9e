#!/bin/sh
# What both recipes run in a bare Debian 12: the commit in /opt/styleinv/.git, installed as the README says.
set -eu
export DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1
apt-get update -q
apt-get install -qy --no-install-recommends ca-certificates git make python3 python3-venv
rm -rf /var/lib/apt/lists/*
cd /opt/styleinv
# Jobs of any user ask which commit this is.
git config --system --add safe.directory /opt/styleinv
git reset --quiet --hard
make install
