import Testing

@testable import Supervisor

/// A restriction with a slip in its name must not be left out in silence.
@Suite("Restricting keys")
struct RestrictingKeysTests {
    private static let misspelt = [
        "exec_allow_list", "exec_alowlist", "execAllowlist", "Exec_Allowlist", "exec-allowlist", "allowlist",
        "exec_allowlists", "allowed_commands", "whitelist", "base_dirs", "basedir", "Base_Dir", "base_dir ", "bse_dir",
        "b\u{430}se_dir", "base\u{200B}_dir", "forward_allow_list", "forwardallowlist", "forward_allowlst",
    ]

    @Test(arguments: misspelt)
    func `a misspelt restriction is a mistake, in a host and at the top`(key: String) {
        for json in [multi(#""\#(key)": []"#), multi("", top: #""\#(key)": []"#), single(#""\#(key)": []"#)] {
            #expect(mistakes(json).count == 1, "\(json): \(mistakes(json))")
        }
    }

    @Test(arguments: [
        "local_root", "localRoots", "local_rotos", "LOCAL_ROOTS", "roots", "capabilites", "Capabilities", "capability",
        "safeguard", "safegaurds", "sand_box", "sandboxes", "limit", "limts", "Hosts", "hots", "host", "audit_logs",
        "auditlogfile", "audit", "allow_delete", "allow_overwrites", "guard_disable", "require_landlok", "file_writes",
        "exec", "port_forwards", "max_output_byte", "safeguards.allow_delete", "hosts.a.base_dir", "read_only", "deny",
        "max_clients", "exec_allowlist", "base_dir", "capabilities ", "disallowed", "excludes", "no_write",
        "read_paths",
        "write_paths", "base_path", "basePath", "chroot", "policies", "disabledTools", "commands", "access",
        "strict_mode", "transprt", "transports", "Transport", "ssh_transport", "file_transprt", "fileTransport",
    ])
    func `so is one at the top that belongs there, belongs elsewhere, or restricts by its words`(key: String) {
        #expect(mistakes(multi("", top: #""\#(key)": null"#)).count == 1, "\(key)")
    }

    @Test(arguments: [
        "transport", "transprt", "file_transports", "fileTransport", "file-transport", "ssh_path", "ssh_pth",
    ])
    func `a host has no transport of its own, and a slip in how its files are reached is a mistake`(key: String) {
        for value in ["null", "\"sftp\"", "[]"] {
            #expect(mistakes(multi(#""\#(key)": \#(value)"#)).count == 1, "\(key): \(value)")
        }
    }

    @Test func `a restriction inside of what means nothing is a mistake as well`() {
        #expect(
            mistakes(multi("", top: #""defaults": {"x": [{"exec_allowlist": []}]}"#)) == [
                "defaults.x[0].exec_allowlist: unknown key; did you mean \"hosts.NAME.exec_allowlist\"? "
                    + "Correct or remove it"
            ])
    }

    @Test(arguments: [
        "x", "", "comment", "_comment", "//", "$comment", "colour", "mcp_sockt", "ssh_sockt", "ssh_usr", "description",
        "version", "log_level", "client_wait_second", "default_hots", "ssh_pth",
    ])
    func `a key that restricts nothing is warned of`(key: String) throws {
        #expect(try config(single(#""\#(key)": 1"#)).warnings.count == 1)
    }

    @Test func `every key that the reader knows and that restricts is judged so`() {
        for path in RestrictingKeys.paths {
            let name = path.split(separator: ".").last.map(String.init) ?? path
            for slip in [name + "s", name.uppercased(), String(name.dropLast()), name.replacing("_", with: "-")]
            where slip != name {
                #expect(RestrictingKeys.reason(for: slip) != nil, "\(slip)")
            }
        }
    }
}
