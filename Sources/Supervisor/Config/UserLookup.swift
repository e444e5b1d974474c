internal import Glibc

/// Whether `ssh` can learn the name of this user in a worker's sandbox, where it reads files and connects to nobody. Without it `ssh`
/// does nothing.
enum UserLookup {
    /// What a person should know who wants `"transport": "ssh"`; nil where nothing stands in its way.
    /// - Parameters:
    ///   - switches: the text of /etc/nsswitch.conf, nsswitch.conf(5); empty where there is none.
    ///   - passwd: the text of /etc/passwd, passwd(5).
    ///   - userID: whose name `ssh` must learn.
    static func notice(switches: String, passwd: String, userID: UInt32) -> String? {
        let services = services(switches)
        let others = services.filter { !["files", "compat"].contains($0) }
        let isThere = passwd.split(separator: "\n").contains { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            return fields.count > 2 && UInt32(fields[2]) == userID
        }
        let asked = others.joined(separator: ", ")
        guard isThere else {
            return
                "warning: transport: /etc/passwd does not have the user \(userID), and ssh, which must know its name, cannot ask "
                + "\(others.isEmpty ? "anybody else" : asked) from its sandbox: \"ssh\" does not work for this user, \"mux\" does"
        }
        guard !others.isEmpty else { return nil }
        return
            "note: transport: /etc/nsswitch.conf has the users also from \(asked), which ssh cannot ask from its sandbox; "
            + (services.first == "files" || services.first == "compat"
                ? "this user is in /etc/passwd, which is enough"
                : "\"ssh\" may not work, as files is not the first there")
    }

    /// The same for this process and this machine.
    static func notice() -> String? {
        notice(switches: text("/etc/nsswitch.conf"), passwd: text("/etc/passwd"), userID: geteuid())
    }

    /// The services that are asked for users, in their order.
    private static func services(_ switches: String) -> [String] {
        for line in switches.split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" || $0 == ":" }
            guard words.first == "passwd" else { continue }
            // What stands in brackets is done after an answer.
            return words.dropFirst().filter { !$0.contains("[") && !$0.contains("]") && !$0.contains("=") }.map(
                String.init)
        }
        return ["files"]
    }

    /// At most a megabyte of a file; empty where it cannot be read.
    private static func text(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
