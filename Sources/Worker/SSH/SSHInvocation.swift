public import IPC

/// Builds the argument vectors of `ssh`, ssh(1), ssh_config(5). Every one goes through the user's ControlMaster and can
/// do nothing else: no configuration file, no key, no agent, no network and no program to make a connection with.
public enum SSHInvocation {
    /// What keeps `ssh` from doing anything but talking to the master.
    static let options = controlOptions + ["-o", "ClearAllForwardings=yes"]

    /// The same for what is asked of the master itself: there a forward on the command line is the request.
    static let controlOptions: [String] = [
        "-F", "none", "-T", "-a", "-x", "-e", "none",
        "-o", "BatchMode=yes",
        "-o", "ControlMaster=no",
        "-o", "ControlPersist=no",
        "-o", "PermitLocalCommand=no",
        "-o", "LogLevel=ERROR",
        // Without a master ssh would connect by itself. The proxy that it must then start does not exist.
        "-o", "ProxyCommand=/nonexistent",
        "-o", "IdentityFile=none",
        "-o", "IdentityAgent=none",
        "-o", "PreferredAuthentications=none",
        "-o", "UserKnownHostsFile=none",
        "-o", "GlobalKnownHostsFile=none",
        "-o", "StrictHostKeyChecking=yes",
    ]

    /// Runs `line` in the login shell of the host.
    static func session(_ host: PolicySnapshot.Host, line: String) -> [String] {
        ["-S", ControlPath.argument(host.socket)] + options + ["--", destination(host), line]
    }

    /// Starts a subsystem of the host's sshd.
    static func subsystem(_ host: PolicySnapshot.Host, name: String) -> [String] {
        ["-S", ControlPath.argument(host.socket)] + options + ["-s", "--", destination(host), name]
    }

    /// Asks the master whether it lives, `-O check`.
    static func check(_ host: PolicySnapshot.Host) -> [String] {
        ["-S", ControlPath.argument(host.socket), "-O", "check"] + options + ["--", destination(host)]
    }

    /// The command with which the user brings the master up.
    public static func masterCommand(_ host: PolicySnapshot.Host) -> String {
        let port = host.port.map { "-p \($0) " } ?? ""
        return "ssh -M -S \(ShellWord.quoted(ControlPath.argument(host.socket))) -fN \(port)"
            + ShellWord.quoted(destination(host))
    }

    /// The command with which the user makes the directory of its socket, which `ssh -M` does not, for nobody else's eyes.
    public static func directoryCommand(_ directory: String) -> String {
        "mkdir -p -m 700 \(ShellWord.quoted(directory))"
    }

    /// The command with which the user ends the master.
    public static func exitCommand(_ host: PolicySnapshot.Host) -> String {
        "ssh -O exit -S \(ShellWord.quoted(ControlPath.argument(host.socket))) " + ShellWord.quoted(destination(host))
    }

    /// A word for the user's shell.
    public static func quoted(_ word: String) -> String { ShellWord.quoted(word) }

    /// The environment of every `ssh`: nothing of the user's.
    static let environment = ["LANG": "C.UTF-8", "PATH": "/nonexistent"]

    private static func destination(_ host: PolicySnapshot.Host) -> String { "\(host.user)@\(host.host)" }

    /// Whether ssh says that it does not know its own user. Landlock lets it read the /etc/passwd that was there when
    /// this worker started; a user added since has put another file in its place.
    public static func isUnusable(_ said: String) -> Bool { said.hasPrefix("No user exists for uid") }
}

/// Words for a POSIX shell.
enum ShellWord {
    /// The word as it is where that is safe, else in single quotes.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "@"),
                UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: "%"):
                true
            default: false
            }
        }
        guard !plain || word.isEmpty else { return word }
        // By scalars: a quote with a combining mark behind it is one Character, and still a quote.
        var quoted = "'"
        for scalar in word.unicodeScalars {
            quoted.unicodeScalars.append(
                contentsOf: scalar == "'" ? "'\\''".unicodeScalars : String(scalar).unicodeScalars)
        }
        return quoted + "'"
    }

    /// The word for `printf %b`, POSIX printf(1), in single quotes that every login shell reads alike: sh, csh and fish
    /// differ on quotes, backslashes, `!` and newlines within them, so those travel as octal escapes.
    static func encoded(_ word: String) -> String {
        var encoded: [UInt8] = [UInt8(ascii: "'")]
        for byte in word.utf8 {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "!"), 0..<0x20, 0x7F...:
                let digits = String(byte, radix: 8)
                encoded.append(contentsOf: "\\0\(String(repeating: "0", count: 3 - digits.count))\(digits)".utf8)
            default: encoded.append(byte)
            }
        }
        encoded.append(UInt8(ascii: "'"))
        return String(decoding: encoded, as: UTF8.self)
    }
}
