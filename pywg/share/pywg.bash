# Completion of pywg(8) for bash 4.4 or newer.
# Generated from pywg/manual by python -m pywg.manual.generate. Do not edit.

# Offers those of the words given that go on from what is typed.
_pywg_offer() {
    local word
    for word; do
        [[ $word == "$current"* && $word != *[!A-Za-z0-9_=+./-]* ]] && COMPREPLY+=("$word")
    done
}

# Takes options of compgen.
_pywg_offer_files() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$@" -f -- "$current")
}

_pywg_offer_configurations() {
    local path
    for path in /etc/wireguard/*.conf; do
        path=${path##*/}
        [[ $path == '*.conf' ]] || _pywg_offer "${path%.conf}"
    done
    _pywg_offer_files -X '!*.conf'
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -d -- "$current")
}

# Offers what can follow `set INTERFACE` and the words given.
_pywg_offer_settings() {
    local word awaited='' given=' ' possible='listen-port fwmark private-key peer'
    for word; do
        if [[ $awaited ]]; then
            awaited=''
            continue
        fi
        if [[ $word == peer ]]; then
            given=' ' possible='remove preshared-key endpoint persistent-keepalive allowed-ips peer'
        else
            given+="$word "
        fi
        case $word in
            listen-port | fwmark | private-key | peer | preshared-key | endpoint | persistent-keepalive | allowed-ips) awaited=$word ;;
        esac
    done
    case $awaited in
        '')
            for word in $possible; do
                [[ $given == *" $word "* ]] || _pywg_offer "$word"
            done
            ;;
        listen-port | endpoint | allowed-ips) : ;;
        fwmark | persistent-keepalive) _pywg_offer off ;;
        private-key | preshared-key) _pywg_offer_files ;;
        peer) _pywg_offer $(pywg show "$interface" peers 2>/dev/null) ;;
    esac
}

_pywg() {
    local line=${COMP_LINE:0:COMP_POINT} words=() current='' place=0 first=0 interface='' i
    COMPREPLY=()
    # A backslash keeps a blank in its word.
    read -a words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        current=${words[-1]}
        unset 'words[-1]'
    fi
    if ((${#words[@]} < 2)); then
        case $current in
            -*) _pywg_offer -f --foreground -h --help -v --version ;;
            *) _pywg_offer show showconf set setconf addconf syncconf genkey genpsk pubkey up down save strip doctor monitor demo completion unit help version ;;
        esac
        return
    fi
    for ((i = 2; i < ${#words[@]}; i++)); do
        case ${words[i]} in
            --interval | --engine | --seconds) ((i++)) ;;
            -*) ;;
            *) ((place++)) || first=$i ;;
        esac
    done
    interface=${words[first]}
    case ${words[1]}:${words[-1]}:$current in
        show:*:-* | doctor:*:-*) _pywg_offer --json -h --help ;;
        up:*:-*) _pywg_offer --kernel -h --help ;;
        monitor:--interval:* | demo:--seconds:*) : ;;
        monitor:*:-*) _pywg_offer --interval --once -h --help ;;
        demo:--engine:*) _pywg_offer auto native python ;;
        demo:*:-*) _pywg_offer --keep --clean --engine --seconds -h --help ;;
        *:*:-*) _pywg_offer -h --help ;;
        *)
            case ${words[1]}:$place in
                show:0) _pywg_offer all interfaces; _pywg_offer $(pywg show interfaces 2>/dev/null) ;;
                show:1) _pywg_offer public-key private-key listen-port fwmark peers preshared-keys endpoints allowed-ips latest-handshakes transfer persistent-keepalive dump ;;
                showconf:0 | set:0 | setconf:0 | addconf:0 | syncconf:0 | monitor:*) _pywg_offer $(pywg show interfaces 2>/dev/null) ;;
                set:*) _pywg_offer_settings "${words[@]:first + 1}" ;;
                setconf:1 | addconf:1 | syncconf:1) _pywg_offer_files ;;
                up:0 | down:0 | save:0 | strip:0) _pywg_offer_configurations ;;
                doctor:0) _pywg_offer $(pywg show interfaces 2>/dev/null); _pywg_offer_configurations ;;
                completion:0) _pywg_offer bash zsh fish ;;
                unit:0) _pywg_offer up daemon ;;
                help:0) _pywg_offer daemon configuration environment files status; _pywg_offer show showconf set setconf addconf syncconf genkey genpsk pubkey up down save strip doctor monitor demo completion unit help version ;;
            esac
            ;;
    esac
    # bash replaces only what follows the last colon or equals sign.
    local kept=${current%"${current##*[=:]}"}
    [[ $kept ]] && COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}

complete -F _pywg pywg
