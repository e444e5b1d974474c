internal import CLibMD
internal import Glibc
internal import IPC

/// Expands the tokens of ssh_config(5) in the path of a ControlMaster's socket, as `ssh` does in `ControlPath`.
struct SocketTokens {
    /// What is wrong with a path, as the rest of a sentence that begins with its key.
    struct Mistake: Error, Equatable {
        let sentence: String
    }

    /// The destination of the ControlMaster, as the config names it.
    struct Destination {
        let user: String
        let host: String
        let port: Int
    }

    /// A machine and its user. What is not known is nil.
    struct Machine {
        var hostName: String?
        var userID: UInt32
        var userName: String?
        /// The home directory in the user database. `ssh` uses that one and not HOME.
        var home: String?
    }

    static let defaultPort = 22
    /// Bytes of the longest path of a socket, `sun_path` of unix(7) without its NUL.
    static let maximumPath = 107
    /// `ssh -M` first makes the socket under a name that is 17 bytes longer.
    static let maximumForMaster = 90

    let machine: Machine
    let destination: Destination

    /// The path with all tokens expanded. The texts that replace them are not expanded again.
    func expanded(_ written: String) throws(Mistake) -> String {
        var path = ""
        var scalars = written.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "%" else {
                path.unicodeScalars.append(scalar)
                continue
            }
            guard let token = scalars.next() else {
                throw Mistake(sentence: "must not end in a single %; write %% for a percent sign")
            }
            path += try value(of: token)
        }
        return path
    }

    private func value(of token: Unicode.Scalar) throws(Mistake) -> String {
        let found: String? =
            switch token {
            case "%": "%"
            case "C": machine.hostName.map(connectionHash)
            case "d": machine.home
            case "h": Self.lowercased(destination.host)
            case "i": "\(machine.userID)"
            // HostKeyAlias in ssh_config would change %k, and HostName %h. That file is not read here.
            case "k", "n": destination.host
            case "L": machine.hostName.map { String($0.prefix { $0 != "." }) }
            case "l": machine.hostName
            case "p": "\(destination.port)"
            case "r": destination.user
            case "u": machine.userName
            default: throw Mistake(sentence: "contains \(Self.name(token)), which cannot be known here; \(Self.advice)")
            }
        guard let found else {
            throw Mistake(sentence: "contains \(Self.name(token)), which this machine does not tell; \(Self.advice)")
        }
        return found
    }

    private static let advice =
        "known are %% %C %d %h %i %k %L %l %n %p %r %u. Write the path itself: the line \"controlpath\" of ssh -G HOST"

    private static func name(_ token: Unicode.Scalar) -> String {
        token.value > 0x20 && token.value != 0x7F ? "%\(token)" : "a % before a blank or control character"
    }

    /// The host name with ASCII letters in lower case, as `ssh` has it.
    private static func lowercased(_ host: String) -> String {
        String(decoding: host.utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
    }

    /// `%C`: the SHA-1 of `%l%h%p%r`, in hexadecimal digits, readconf.c of OpenSSH. Newer versions add `%j`, which is empty
    /// without ProxyJump.
    private func connectionHash(_ hostName: String) -> String {
        let text = hostName + Self.lowercased(destination.host) + "\(destination.port)" + destination.user
        var context = SHA1_CTX()
        SHA1Init(&context)
        let bytes = Array(text.utf8)
        SHA1Update(&context, bytes, bytes.count)
        var digest = [UInt8](repeating: 0, count: Int(SHA1_DIGEST_LENGTH))
        SHA1Final(&digest, &context)
        return Hexadecimal.text(digest)
    }
}

extension SocketTokens.Machine {
    /// This machine and the user of this process. This asks the user database, which may take a while if it is remote.
    static func current() -> SocketTokens.Machine {
        var name = [CChar](repeating: 0, count: 1025)
        let isKnown = gethostname(&name, name.count - 1) == 0
        let hostName = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let account = getpwuid(geteuid())
        return SocketTokens.Machine(
            hostName: isKnown ? hostName : nil, userID: geteuid(),
            userName: account.flatMap { String(validatingCString: $0.pointee.pw_name) },
            home: account.flatMap { String(validatingCString: $0.pointee.pw_dir) })
    }
}
