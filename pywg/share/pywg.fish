# Completion of pywg(8) for fish 3 or newer.
# Generated from pywg/manual by python -m pywg.manual.generate. Do not edit.

function __pywg_first
    test (count (commandline -opc)) -eq 1
end

# Whether the command is one of those given.
function __pywg_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

# What has been typed after the command, less options and their values.
function __pywg_arguments
    set -l words (commandline -opc)
    set -e words[1..2]
    set -l skip no
    for word in $words
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case --interval --engine --seconds
                set skip yes
            case '-*'
            case '*'
                echo -- $word
        end
    end
end

# Whether the word to complete is argument number $argv[1], from 0, of one of the commands after it.
function __pywg_at
    __pywg_command $argv[2..-1]; and test (count (__pywg_arguments)) -eq $argv[1]
end

function __pywg_interface
    __pywg_arguments | head -n 1
end

function __pywg_configurations
    for path in /etc/wireguard/*.conf
        string replace -r '.*/(.*)\.conf$' '$1' -- $path
    end
    # Not __fish_complete_suffix: it offers every file, these first.
    set -l typed (commandline -ct)
    set -l paths $typed*.conf $typed*/
    printf '%s\n' $paths
end

# Whether `set` awaits one of these: the value of a setting, by its name; or a setting; or a peer-setting.
function __pywg_awaits
    __pywg_command set; or return
    set -l words (__pywg_arguments)
    test (count $words) -gt 0; or return
    set -e words[1]
    set -l between setting
    set -l awaited $between
    for word in $words
        switch "$awaited:$word"
            case setting:peer peer-setting:peer
                set between peer-setting
                set awaited peer
            case setting:listen-port setting:fwmark setting:private-key setting:preshared-key setting:endpoint setting:persistent-keepalive setting:allowed-ips peer-setting:listen-port peer-setting:fwmark peer-setting:private-key peer-setting:preshared-key peer-setting:endpoint peer-setting:persistent-keepalive peer-setting:allowed-ips
                set awaited $word
            case '*'
                set awaited $between
        end
    end
    contains -- $awaited $argv
end

complete -c pywg -f
complete -c pywg -s h -l help -d 'say how it is used'
complete -c pywg -n '__pywg_first' -s f -l foreground -d 'stay in the foreground and log to standard error'
complete -c pywg -n '__pywg_first' -s v -l version -d 'print the version and the engine that would carry packets here'
complete -c pywg -n '__pywg_first' -a show -d 'show interfaces and their peers'
complete -c pywg -n '__pywg_first' -a showconf -d 'print an interface\'s configuration as setconf takes it'
complete -c pywg -n '__pywg_first' -a set -d 'change an interface\'s settings'
complete -c pywg -n '__pywg_first' -a setconf -d 'replace an interface\'s configuration by a file\'s'
complete -c pywg -n '__pywg_first' -a addconf -d 'add a file\'s configuration to an interface\'s'
complete -c pywg -n '__pywg_first' -a syncconf -d 'do as setconf does without disturbing sessions'
complete -c pywg -n '__pywg_first' -a genkey -d 'print a new private key'
complete -c pywg -n '__pywg_first' -a genpsk -d 'print a new preshared key'
complete -c pywg -n '__pywg_first' -a pubkey -d 'print the public key of a private key'
complete -c pywg -n '__pywg_first' -a up -d 'bring up the interface that a file describes'
complete -c pywg -n '__pywg_first' -a down -d 'take down what up brought up'
complete -c pywg -n '__pywg_first' -a save -d 'write an interface\'s present configuration to its file'
complete -c pywg -n '__pywg_first' -a strip -d 'print a file without the settings only up and down know'
complete -c pywg -n '__pywg_first' -a doctor -d 'find out why a tunnel does not work'
complete -c pywg -n '__pywg_first' -a monitor -d 'watch interfaces'
complete -c pywg -n '__pywg_first' -a demo -d 'show a tunnel between two network namespaces'
complete -c pywg -n '__pywg_first' -a completion -d 'print a completion script'
complete -c pywg -n '__pywg_first' -a unit -d 'print a systemd unit that runs this pywg'
complete -c pywg -n '__pywg_first' -a help -d 'print an overview'
complete -c pywg -n '__pywg_first' -a version -d 'print the version and the engine that would carry packets here'
complete -c pywg -n '__pywg_command show' -l json -d 'print everything as JSON'
complete -c pywg -n '__pywg_at 0 show' -a all -d 'every interface'
complete -c pywg -n '__pywg_at 0 show' -a interfaces -d 'the names of all interfaces'
complete -c pywg -n '__pywg_at 0 show' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_at 1 show' -a public-key -d 'the interface\'s public key'
complete -c pywg -n '__pywg_at 1 show' -a private-key -d 'the interface\'s private key'
complete -c pywg -n '__pywg_at 1 show' -a listen-port -d 'the UDP port it listens on'
complete -c pywg -n '__pywg_at 1 show' -a fwmark -d 'the mark of its outgoing packets'
complete -c pywg -n '__pywg_at 1 show' -a peers -d 'the public keys of its peers'
complete -c pywg -n '__pywg_at 1 show' -a preshared-keys -d 'each peer\'s preshared key'
complete -c pywg -n '__pywg_at 1 show' -a endpoints -d 'each peer\'s endpoint'
complete -c pywg -n '__pywg_at 1 show' -a allowed-ips -d 'each peer\'s allowed IPs'
complete -c pywg -n '__pywg_at 1 show' -a latest-handshakes -d 'each peer\'s latest handshake'
complete -c pywg -n '__pywg_at 1 show' -a transfer -d 'bytes received from and sent to each peer'
complete -c pywg -n '__pywg_at 1 show' -a persistent-keepalive -d 'each peer\'s keepalive interval in seconds'
complete -c pywg -n '__pywg_at 1 show' -a dump -d 'all of it'
complete -c pywg -n '__pywg_at 0 showconf' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_at 0 set' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_awaits setting' -a listen-port -d 'the UDP port to listen on'
complete -c pywg -n '__pywg_awaits setting' -a fwmark -d 'mark outgoing packets'
complete -c pywg -n '__pywg_awaits fwmark' -a off
complete -c pywg -n '__pywg_awaits setting' -a private-key -d 'a file with the interface\'s private key in base64'
complete -c pywg -n '__pywg_awaits private-key' -F
complete -c pywg -n '__pywg_awaits setting peer-setting' -a peer -d 'the peer that the following settings apply to'
complete -c pywg -n '__pywg_awaits peer' -a '(pywg show (__pywg_interface) peers 2>/dev/null)' -d peer
complete -c pywg -n '__pywg_awaits peer-setting' -a remove -d 'take the peer away'
complete -c pywg -n '__pywg_awaits peer-setting' -a preshared-key -d 'a file with a key in base64 that both ends share'
complete -c pywg -n '__pywg_awaits preshared-key' -F
complete -c pywg -n '__pywg_awaits peer-setting' -a endpoint -d 'where to send to'
complete -c pywg -n '__pywg_awaits peer-setting' -a persistent-keepalive -d 'send an empty packet this often'
complete -c pywg -n '__pywg_awaits persistent-keepalive' -a off
complete -c pywg -n '__pywg_awaits peer-setting' -a allowed-ips -d 'networks that are sent to this peer and accepted from it'
complete -c pywg -n '__pywg_at 0 setconf' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_at 1 setconf' -F
complete -c pywg -n '__pywg_at 0 addconf' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_at 1 addconf' -F
complete -c pywg -n '__pywg_at 0 syncconf' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_at 1 syncconf' -F
complete -c pywg -n '__pywg_command up' -l kernel -d 'use the kernel\'s WireGuard instead of the daemon'
complete -c pywg -n '__pywg_at 0 up' -a '(__pywg_configurations)'
complete -c pywg -n '__pywg_at 0 down' -a '(__pywg_configurations)'
complete -c pywg -n '__pywg_at 0 save' -a '(__pywg_configurations)'
complete -c pywg -n '__pywg_at 0 strip' -a '(__pywg_configurations)'
complete -c pywg -n '__pywg_command doctor' -l json -d 'print what was found as JSON'
complete -c pywg -n '__pywg_at 0 doctor' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_at 0 doctor' -a '(__pywg_configurations)'
complete -c pywg -n '__pywg_command monitor' -l interval -x -d 'time between two looks'
complete -c pywg -n '__pywg_command monitor' -l once -d 'print everything once'
complete -c pywg -n '__pywg_command monitor' -a '(pywg show interfaces 2>/dev/null | string split " ")' -d interface
complete -c pywg -n '__pywg_command demo' -l keep -d 'leave the tunnel up and say what to try'
complete -c pywg -n '__pywg_command demo' -l clean -d 'remove what --keep left up'
complete -c pywg -n '__pywg_command demo' -l engine -x -a 'auto native python' -d 'what carries the packets'
complete -c pywg -n '__pywg_command demo' -l seconds -x -d 'length of each TCP transfer'
complete -c pywg -n '__pywg_at 0 completion' -a bash -d '4.4 or newer'
complete -c pywg -n '__pywg_at 0 completion' -a zsh -d '5 or newer'
complete -c pywg -n '__pywg_at 0 completion' -a fish -d '3 or newer'
complete -c pywg -n '__pywg_at 0 unit' -a up -d 'pywg@.service'
complete -c pywg -n '__pywg_at 0 unit' -a daemon -d 'pywg-daemon@.service'
complete -c pywg -n '__pywg_at 0 help' -a daemon -d 'pywg INTERFACE'
complete -c pywg -n '__pywg_at 0 help' -a configuration -d 'the format of configuration files'
complete -c pywg -n '__pywg_at 0 help' -a environment -d 'variables that are read'
complete -c pywg -n '__pywg_at 0 help' -a files -d 'where what is'
complete -c pywg -n '__pywg_at 0 help' -a status -d 'what exit statuses mean'
complete -c pywg -n '__pywg_at 0 help' -a show -d 'show interfaces and their peers'
complete -c pywg -n '__pywg_at 0 help' -a showconf -d 'print an interface\'s configuration as setconf takes it'
complete -c pywg -n '__pywg_at 0 help' -a set -d 'change an interface\'s settings'
complete -c pywg -n '__pywg_at 0 help' -a setconf -d 'replace an interface\'s configuration by a file\'s'
complete -c pywg -n '__pywg_at 0 help' -a addconf -d 'add a file\'s configuration to an interface\'s'
complete -c pywg -n '__pywg_at 0 help' -a syncconf -d 'do as setconf does without disturbing sessions'
complete -c pywg -n '__pywg_at 0 help' -a genkey -d 'print a new private key'
complete -c pywg -n '__pywg_at 0 help' -a genpsk -d 'print a new preshared key'
complete -c pywg -n '__pywg_at 0 help' -a pubkey -d 'print the public key of a private key'
complete -c pywg -n '__pywg_at 0 help' -a up -d 'bring up the interface that a file describes'
complete -c pywg -n '__pywg_at 0 help' -a down -d 'take down what up brought up'
complete -c pywg -n '__pywg_at 0 help' -a save -d 'write an interface\'s present configuration to its file'
complete -c pywg -n '__pywg_at 0 help' -a strip -d 'print a file without the settings only up and down know'
complete -c pywg -n '__pywg_at 0 help' -a doctor -d 'find out why a tunnel does not work'
complete -c pywg -n '__pywg_at 0 help' -a monitor -d 'watch interfaces'
complete -c pywg -n '__pywg_at 0 help' -a demo -d 'show a tunnel between two network namespaces'
complete -c pywg -n '__pywg_at 0 help' -a completion -d 'print a completion script'
complete -c pywg -n '__pywg_at 0 help' -a unit -d 'print a systemd unit that runs this pywg'
complete -c pywg -n '__pywg_at 0 help' -a help -d 'print an overview'
complete -c pywg -n '__pywg_at 0 help' -a version -d 'print the version and the engine that would carry packets here'
