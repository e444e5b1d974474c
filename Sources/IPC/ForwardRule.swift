internal import Glibc

/// An entry of `forward_allowlist`.
public enum ForwardRule: Equatable, Sendable {
    /// The host in lower case, without brackets, `*` for any; and the port, nil for any.
    case tcp(host: String, port: UInt16?)
    /// The path of a Unix socket. There is none for any path.
    case unix(path: String)

    /// Bytes of the longest name.
    static let longestHost = 253

    /// What an entry for a Unix socket begins with.
    private static let unixPrefix = "unix:/"

    /// Reads an entry such as `db.internal:5432`, `*:443`, `db.internal:*`, `[::1]:80` or `unix:/run/db.sock`; nil for anything else.
    public init?(_ text: String) {
        if text.hasPrefix(Self.unixPrefix) {
            let path = String(text.dropFirst(Self.unixPrefix.count - 1))
            guard ForwardTarget.isPath(path) else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let name = String(text[..<colon])
        let number = text[text.index(after: colon)...]
        guard number == "*" || UInt16(number).map({ $0 > 0 && number.first != "+" }) == true else { return nil }
        let bracketed = name.hasPrefix("[") && name.hasSuffix("]")
        let bare = bracketed ? String(name.dropFirst().dropLast()) : name
        guard name == "*" || (Self.isHost(bare) && bare.contains(":") == bracketed) else { return nil }
        self = .tcp(host: bare.lowercased(), port: UInt16(number))
    }

    /// Whether a text is a host name or an address, IPv6 without brackets, that may stand in a command line of `ssh`. It must be
    /// short, and have no spaces, slashes, brackets, `@` and no leading `-`. RFC 1123 section 2.1, and underscores.
    public static func isHost(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...longestHost).contains(bytes.count), bytes.first != UInt8(ascii: "-"), !bytes.contains(0) else {
            return false
        }
        var address = in6_addr()
        if bytes.contains(UInt8(ascii: ":")) { return inet_pton(AF_INET6, text, &address) == 1 }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
