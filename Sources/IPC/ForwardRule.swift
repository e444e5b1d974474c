internal import Glibc

/// An entry of `forward_allowlist`.
public struct ForwardRule: Equatable, Sendable {
    /// The host in lower case, without brackets; `*` for any.
    public let host: String
    /// The port; nil for any.
    public let port: UInt16?

    /// Bytes of the longest name.
    static let longestHost = 253

    /// Reads an entry such as `db.internal:5432`, `*:443`, `db.internal:*` or `[::1]:80`; nil for anything else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let name = String(text[..<colon])
        let number = text[text.index(after: colon)...]
        guard number == "*" || UInt16(number).map({ $0 > 0 && number.first != "+" }) == true else { return nil }
        let bracketed = name.hasPrefix("[") && name.hasSuffix("]")
        let bare = bracketed ? String(name.dropFirst().dropLast()) : name
        guard name == "*" || (Self.isHost(bare) && bare.contains(":") == bracketed) else { return nil }
        host = bare.lowercased()
        port = UInt16(number)
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
