#!/bin/sh
# Lets apt take packages of Debian 12 as they were at one time (snapshot.debian.org): `sources.sh 20261101T000000Z`. With
# `none`, apt keeps its sources, and takes what is newest.
set -eu
test "$1" != none || exit 0
rm -f /etc/apt/sources.list.d/debian.sources
at=http://snapshot.debian.org/archive
cat > /etc/apt/sources.list << LIST
deb [check-valid-until=no] $at/debian/$1 bookworm main
deb [check-valid-until=no] $at/debian/$1 bookworm-updates main
deb [check-valid-until=no] $at/debian-security/$1 bookworm-security main
LIST
