# shellcheck shell=sh
# Source this (bash, zsh, dash):  . setup/env.sh
# It puts `autoclave` on PATH and sets where Trivy and its database are. Run ./demo or ./check once before.
#
# bash and zsh give a sourced file its own path; for other shells the folders above the current one are searched.
if [ -n "${BASH_SOURCE:-}" ]; then
    autoclave_setup=$(dirname "$BASH_SOURCE") # the first element of an array in bash
elif [ -n "${ZSH_VERSION:-}" ]; then
    autoclave_setup=$(eval 'dirname "${(%):-%x}"')
else
    autoclave_setup=$PWD
    while [ ! -x "$autoclave_setup/setup/exports.sh" ] && [ "$autoclave_setup" != / ]; do
        autoclave_setup=$(dirname "$autoclave_setup")
    done
    autoclave_setup=$autoclave_setup/setup
fi
if [ -x "$autoclave_setup/exports.sh" ]; then
    eval "$("$autoclave_setup/exports.sh")"
else
    # shellcheck disable=SC2016 # for the reader, not for this shell
    echo 'setup/env.sh: this shell does not say where the file is. Instead: eval "$(/path/to/setup/exports.sh)"' >&2
fi
unset autoclave_setup
