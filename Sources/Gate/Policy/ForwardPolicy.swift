internal import Glibc
public import IPC

/// Where a host's port forwards may lead: what `forward_allowlist` covers. Link-local addresses and metadata services,
/// where clouds keep the credentials of their machines, must be named in it; `*` does not cover them. So must Unix sockets, by
/// their paths: what serves one trusts whoever may open it, and as a port every user of this machine may.
///
/// The remote host resolves names. A name that leads to such an address there is therefore not recognised.
public struct ForwardPolicy: Sendable {
    private let rules: [ForwardRule]?
    private let host: String

    /// `entries` nil allows everything but link-local addresses, metadata services and Unix sockets, an empty list nothing.
    public init(_ entries: [String]?, host: String) {
        // All entries parse: the supervisor refuses a config with one that does not.
        rules = entries.map { $0.compactMap(ForwardRule.init) }
        self.host = host
    }

    /// Names of metadata services that a cloud's machines resolve to a link-local address.
    private static let metadataNames = [Place("metadata.google.internal")]

    /// The target as `ssh` takes it: without brackets around an IPv6 address and without a dot at the end.
    /// - Returns: nil if it is neither a host name nor an address.
    public static func target(_ text: String) -> String? {
        var name = text
        if name.hasPrefix("["), name.hasSuffix("]") {
            name = String(name.dropFirst().dropLast())
            guard name.contains(":") else { return nil }
        }
        if name.hasSuffix(".") { name.removeLast() }
        return ForwardRule.isHost(name) ? name : nil
    }

    /// Throws if the list does not cover the target, or does not name it although it is link-local or a metadata
    /// service.
    public func judge(_ target: ForwardTarget) throws(GateRefusal) {
        switch target {
        case .tcp(let name, let port): try judge(name, port)
        case .unix(let path):
            guard let rules else { throw GateRefusal(host: host, .socketTarget(path: path)) }
            // Swift's `==` takes texts for equal that differ in their bytes.
            let isNamed = rules.contains { rule in
                if case .unix(let named) = rule { return named.utf8.elementsEqual(path.utf8) }
                return false
            }
            guard isNamed else { throw notCovered(target, rules) }
        }
    }

    private func judge(_ target: String, _ port: UInt16) throws(GateRefusal) {
        let wanted = Place(target)
        func covers(_ rule: ForwardRule, _ isPlace: (String) -> Bool) -> Bool {
            guard case .tcp(let host, let allowed) = rule else { return false }
            return isPlace(host) && (allowed ?? port) == port
        }
        let named = rules?.contains { covers($0) { Place($0) == wanted } }
        if !wanted.isLinkLocal && !Self.metadataNames.contains(wanted) {
            guard let rules, named == false, !rules.contains(where: { covers($0) { $0 == "*" } }) else { return }
            throw notCovered(.tcp(host: target, port: port), rules)
        }
        guard named == true else {
            throw GateRefusal(host: host, .linkLocal(target: target))
        }
    }

    private func notCovered(_ target: ForwardTarget, _ rules: [ForwardRule]) -> GateRefusal {
        GateRefusal(
            host: host,
            .forward(
                target: target, entries: rules.prefix(GateRefusal.shownEntries).map(Self.text),
                more: UInt32(clamping: max(0, rules.count - GateRefusal.shownEntries))))
    }

    private static func text(_ rule: ForwardRule) -> String {
        switch rule {
        case .tcp(let host, let port):
            let port = port.map { String($0) } ?? "*"
            return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): return "unix:\(path)"
        }
    }
}

/// A host name, or the bytes of an address. All spellings of an address are equal, and so is a name with a dot at its end, which
/// resolvers take for the same (RFC 1034 section 3.1).
private enum Place: Equatable {
    case name(String)
    case address([UInt8])

    init(_ spelled: String) {
        var text = spelled
        while text.utf8.last == UInt8(ascii: ".") { text.removeLast() }
        var four = in_addr()
        var six = in6_addr()
        // inet_aton reads numbers as getaddrinfo(3) does: 169.254.169.254 is also 0xA9FEA9FE, 2852039166 and
        // 0251.0376.43518.
        if inet_aton(text, &four) == 1 {
            self = .address(withUnsafeBytes(of: &four.s_addr) { Array($0) })
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            let bytes = withUnsafeBytes(of: &six) { Array($0) }
            self = .address(Self.embedded(bytes) ?? bytes)
        } else {
            self = .name(text.lowercased())
        }
    }

    /// The IPv4 address in an IPv4-mapped, IPv4-compatible, IPv4-translated, NAT64 or 6to4 address, RFC 4291 section 2.5.5,
    /// RFC 2765 section 2.1, RFC 6052, RFC 8215 and RFC 3056; nil if there is none.
    private static func embedded(_ bytes: [UInt8]) -> [UInt8]? {
        if bytes.starts(with: [0x20, 0x02]) { return Array(bytes[2..<6]) }
        if bytes.starts(with: [0, 0x64, 0xFF, 0x9B, 0, 1]) { return Array(bytes[12...]) }
        let zeros = [UInt8](repeating: 0, count: 10)
        let prefixes = [
            zeros + [0xFF, 0xFF], zeros + [0, 0], [UInt8](repeating: 0, count: 8) + [0xFF, 0xFF, 0, 0],
            [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8),
        ]
        // ::1 and :: contain no IPv4 address.
        guard prefixes.contains(Array(bytes[..<12])), bytes[12...] != [0, 0, 0, 1], bytes[12...] != [0, 0, 0, 0] else {
            return nil
        }
        return Array(bytes[12...])
    }

    /// Whether the address is in 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291) or fd00:ec2::/32, where one cloud has
    /// its metadata service under IPv6.
    var isLinkLocal: Bool {
        switch self {
        case .name: false
        case .address(let bytes) where bytes.count == 4: bytes.starts(with: [169, 254])
        case .address(let bytes):
            (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80) || bytes.starts(with: [0xFD, 0x00, 0x0E, 0xC2])
        }
    }
}
