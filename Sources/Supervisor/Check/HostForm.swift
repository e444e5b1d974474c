internal import CLinux
internal import Glibc

/// Judges what the config has as a host: `ssh` takes its port apart from it, and an IPv6 address without brackets.
enum HostForm {
    /// What is wrong, as the rest of a sentence that begins with its key; nil if nothing is.
    static func problem(of address: String, isSingle: Bool) -> String? {
        guard address.contains(where: { [":", "[", "]"].contains($0) }), !isIPv6(address) else { return nil }
        var host = address
        var port: Int?
        if let colon = address.lastIndex(of: ":"), let number = Int(address[address.index(after: colon)...]),
            (1...65_535).contains(number), !isIPv6(String(address.dropFirst().dropLast()))
        {
            let before = String(address[..<colon])
            if !before.isEmpty, !before.contains(":") || isBracketed(before) {
                host = before
                port = number
            }
        }
        if isBracketed(host) { host = String(host.dropFirst().dropLast()) }
        let isRight = !host.isEmpty && (isIPv6(host) || !host.contains { [":", "[", "]"].contains($0) })
        guard isRight else {
            return "\"\(address)\" is no address that ssh takes; write a name or an address, without port and brackets"
        }
        let advice = port.map { number in
            isSingle
                ? ", and the port in the form with \"hosts\": {\"NAME\": {\"host\": \"\(host)\", \"port\": \(number), …}}"
                : " and \"port\": \(number)"
        }
        return "\"\(address)\" is no address that ssh takes: commands in hints and tokens of sockets would be wrong; "
            + "write \"\(host)\"\(advice ?? "")"
    }

    private static func isBracketed(_ text: String) -> Bool { text.hasPrefix("[") && text.hasSuffix("]") }

    /// An IPv6 address, with a zone if it has one, RFC 4007.
    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, String(text.prefix { $0 != "%" }), &address) == 1
    }

    /// Whether it is a name that no host has, RFC 2606, or one of those in the examples of documents.
    static func isPlaceholder(_ address: String) -> Bool {
        let name = address.lowercased()
        let reserved = ["example.com", "example.net", "example.org", "example", "invalid"]
        return reserved.contains { name == $0 || name.hasSuffix(".\($0)") } || name == "my.server.com"
            || ["your-", "your_", "yourhost", "yourserver", "your."].contains { name.hasPrefix($0) }
    }
}
