internal import CLinux
internal import Glibc
internal import IPC

extension Config {
    /// How many hosts are named in a line of the log.
    private static let namedHosts = 20

    /// What the log says of a config that is in force: its path, its hosts, and which capabilities they have. A host that has fewer
    /// than others is named with those that it has.
    func facts(at path: String) -> [(key: String, value: LogValue)] {
        let hosts = policy.hosts
        let named = hosts.prefix(Self.namedHosts)
        let more = hosts.count - named.count
        let all = Capability.allCases.filter { capability in hosts.contains { capability.isOn($0.capabilities) } }
        let narrower = named.compactMap { host -> String? in
            let own = all.filter { $0.isOn(host.capabilities) }
            guard own.count < all.count else { return nil }
            return "\(host.name): \(own.isEmpty ? "none" : own.map(\.key).joined(separator: " "))"
        }
        var facts: [(key: String, value: LogValue)] = [
            ("config", .text(path)), ("hosts", .list(named.map(\.name) + (more > 0 ? ["and \(more) more"] : []))),
            ("capabilities", .list(all.map(\.key))),
        ]
        if !narrower.isEmpty { facts.append(("narrower", .list(narrower))) }
        return facts
    }
}

extension Startup {
    /// The versions of what runs here: this program, the kernel, and the kernel's Landlock, 0 where there is none.
    static var versions: [(key: String, value: LogValue)] {
        var names = utsname()
        uname(&names)
        let kernel = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return [
            ("version", .text(Version.text)), ("kernel", .text(kernel)),
            ("landlock_abi", .number(max(0, Int(csd_landlock_abi())))),
        ]
    }
}
