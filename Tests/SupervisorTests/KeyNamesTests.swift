import Testing

@testable import Supervisor

/// A wrong guess of what an unknown key may be meant to be leads away from the mistake.
@Suite("What an unknown key may be meant to be")
struct KeyNamesTests {
    @Test(arguments: [
        ("port", "hosts.NAME.port"), ("ssh_port", "hosts.NAME.port"), ("Port", "hosts.NAME.port"),
        ("sshPort", "hosts.NAME.port"),
        ("jump", "hosts.NAME.jump"), ("ssh_jump", "hosts.NAME.jump"), ("ssh-config-host", "hosts.NAME.ssh_config_host"),
    ])
    func `a key of a host at the top is told where it belongs`(key: String, place: String) throws {
        for json in [single(#""\#(key)": 22"#), multi("", top: #""\#(key)": 22"#)] {
            #expect(try config(json).warnings == ["\(key): unknown key, ignored; it is \(place)."])
        }
    }

    @Test(arguments: [
        ("prot", "port"), ("usr", "user"), ("usre", "user"), ("hosst", "host"), ("ssh_socket", "socket"),
        ("ssh_host", "host"),
        ("sokcet", "socket"), ("exec_alowlist", "exec_allowlist"), ("basedir", "base_dir"), ("ssh_port", "port"),
    ])
    func `a slip in a host is told what it is near`(key: String, meant: String) {
        #expect(
            mistakes(multi(#""\#(key)": "x""#)) == [
                "hosts.a.\(key): unknown key; did you mean \"\(meant)\"? Correct or remove it"
            ])
    }

    @Test(arguments: ["pots_of", "name", "tags", "note", "hops", "proxy", "identity", "key", "posix", "os"])
    func `what is near nothing gets no guess in a host`(key: String) {
        #expect(mistakes(multi(#""\#(key)": "x""#)) == ["hosts.a.\(key): unknown key. Correct or remove it"])
    }

    @Test(arguments: ["part", "most", "sort", "ssh_part", "hosting", "users_file", "name", "log_level"])
    func `nor at the top`(key: String) throws {
        #expect(try config(multi("", top: #""\#(key)": 1"#)).warnings == ["\(key): unknown key, ignored"])
    }

    @Test(arguments: [
        ("client_wait_seconds", "client_wait_seconds"), ("mcp_socket", "mcp_socket"), ("default_host", "default_host"),
    ])
    func `a key of the top in a host is told where it belongs`(key: String, place: String) {
        #expect(
            mistakes(multi(#""\#(key)": "x""#)) == [
                "hosts.a.\(key): unknown key; \"\(place)\" stands at the top. Correct or remove it"
            ])
    }
}
