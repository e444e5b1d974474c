internal import IPC

/// Who is logged in on a host, and where that is, in the words of the host.
public struct HostIdentity: Equatable, Sendable {
    /// The user's name, `id -un`; empty where the host does not tell it.
    public let user: String
    /// The name of the login, which may be another one of the same uid.
    public let login: String
    /// The home directory.
    public let home: String
    /// The login shell.
    public let shell: String
    /// The host's own address of the connection; empty where the host does not tell it.
    public let address: String
    /// The host's own name.
    public let hostname: String
    /// The name of the SSH server's process; empty where the host does not tell it.
    public let server: String

    /// Bytes of each of these.
    private static let longest = 255

    /// Reads the lines between two that are the nonce and a `=`; nil where they are none of the kind.
    init?(_ output: String, nonce: String) {
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
        let mark = nonce + "="
        guard let start = lines.firstIndex(of: mark[...]), lines.count > start + 9, lines[start + 9] == mark[...]
        else {
            return nil
        }
        let words = lines[(start + 1)..<(start + 9)].map(Self.plain)
        (user, login, home, shell) = (words[0], words[1], words[2], words[3])
        let connection = words[4].split(separator: " ")
        address = connection.count == 4 ? String(connection[2]) : ""
        hostname = words[5]
        server = words[7]
    }

    /// At most `longest` bytes of printable text.
    private static func plain(_ text: Substring) -> String {
        var kept = ""
        for scalar in text.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7F {
            guard kept.utf8.count + scalar.utf8.count <= longest else { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept
    }

    /// Whether sessions there are opened one after the other: see the gate's `ServerKind`.
    var takesOneAtATime: Bool { server == "dropbear" }

    /// Whether this is the user of the config, as far as the host tells.
    public func isUser(_ name: String) -> Bool {
        name == user || name == login || user.isEmpty && login.isEmpty
    }

    /// Whether nothing shows that this is another machine than the config's address: one of its names, or the address itself.
    public func isHost(_ address: String) -> Bool {
        func first(_ name: String) -> Substring { name.lowercased().prefix { $0 != "." } }
        return address == self.address || hostname.isEmpty || address.lowercased() == hostname.lowercased()
            || first(address) == first(hostname) && !first(address).isEmpty && Int(first(address)) == nil
    }
}

/// What came of the question who is there.
public enum HostIdentification: Equatable, Sendable {
    /// The host told it.
    case known(HostIdentity)
    /// What is logged in there did not run the question: it said this, and ended with this status.
    case noShell(said: String, status: UInt32?)
    /// Nothing had come of it in time.
    case late(said: String)
    /// It could not be asked.
    case notAsked
}
