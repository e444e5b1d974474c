/// Finds the key that an unknown one may be meant to be. A wrong guess leads away from the mistake, so only what is truly near is named.
enum KeyNames {
    /// The keys that restrict nothing, with their paths; the others are in `RestrictingKeys`.
    private static let others = [
        "mcp_socket", "ssh_socket", "ssh_user", "ssh_host", "default_host", "client_wait_seconds", "ssh_path",
        "hosts.NAME.socket", "hosts.NAME.user", "hosts.NAME.host", "hosts.NAME.port", "hosts.NAME.jump",
        "hosts.NAME.ssh_config_host",
    ]

    /// The name that is closest to a misspelled one; the first in order if several are as close.
    static func nearest(to name: String, among names: Set<String>) -> String? {
        names.sorted().compactMap { known in distance(name, known).map { (distance: $0, name: known) } }
            .min { $0.distance < $1.distance }?.name
    }

    /// Where a key belongs that is known under this name, or under it without "ssh_", as a clause; nil where it is not known.
    static func elsewhere(_ name: String) -> String? {
        let written = letters(name)
        let place = (others + RestrictingKeys.paths).first { path in
            let key = letters(String(path.split(separator: ".").last ?? ""))
            return key == written || Array("ssh".utf8) + key == written
        }
        return place.map { $0.contains(".") ? "it is \($0)" : "\"\($0)\" stands at the top" }
    }

    /// How many letters two names are apart; nil where they are not near. One letter is near, and so are names whose words are: one
    /// letter in each, two in a long one. So "ssh_port" is not taken for "ssh_host".
    private static func distance(_ name: String, _ known: String) -> Int? {
        let (written, meant) = (letters(name), letters(known))
        let whole = RestrictingKeys.distance(written, meant)
        if written == Array("ssh".utf8) + meant || meant == Array("ssh".utf8) + written { return 2 }
        guard whole < meant.count else { return nil }
        if whole <= 1, meant.count > 3 { return whole }
        let (words, known) = (words(of: name), words(of: known))
        guard whole <= 2, words.count == known.count else { return nil }
        let areNear = zip(words, known).allSatisfy { word, known in
            RestrictingKeys.distance(word, known) <= (known.count <= 3 ? 0 : known.count <= 5 ? 1 : 2)
        }
        return areNear ? whole : nil
    }

    private static func words(of name: String) -> [[UInt8]] {
        name.split { $0 == "_" || $0 == "-" || $0 == "." }.map { letters(String($0)) }
    }

    /// Names that differ only in case, underscores and dashes are the same.
    private static func letters(_ name: String) -> [UInt8] {
        Array(name.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") })
    }
}
