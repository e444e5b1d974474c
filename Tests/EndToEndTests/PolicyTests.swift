import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// What `exec_allowlist`, `allow_delete` and `base_dir` refuse of `ssh_exec`, and that nothing of it has run on the host.
@Suite struct PolicyTests {
    @Test("under an exec_allowlist a line runs only if every command of it is covered, and then /bin/sh runs it")
    func allowlist() throws {
        let place = try Place()
        let trace = place.file("trace")
        let hosts: JSON = [
            "listed": try Remote.shared().hostEntry.merging(["exec_allowlist": ["touch \(trace)", "echo "]])
        ]
        let refused: [(command: String, words: [String])] = [
            (
                "touch \(trace); id",
                ["does not cover \"id\"", "ask the user to add \"id\" to hosts.listed.exec_allowlist"]
            ),
            ("touch \(trace) & id", ["\"id\""]), ("touch \(trace)\nid", ["\"id\""]),
            ("touch \(trace) | id", ["\"id\""]),
            ("if touch \(trace); then id; fi", ["\"id\""]), ("echo a; 'touch' \(trace)", ["without quotes"]),
            ("touch \(trace) $(id)", ["a command substitution"]), ("touch \(trace) `id`", ["backticks"]),
            ("touch \(trace) <(id)", ["a process substitution"]), ("eval touch \(trace)", ["\"eval\""]),
            ("echo x > \(trace)", ["the redirection \"> \(trace)\""]), ("PATH=/tmp touch \(trace)", ["\"PATH\""]),
            ("touch() { id; }; touch \(trace)", ["a function"]), ("touch \(trace) 'x", ["a quote that is not closed"]),
            ("touch \(trace)\r", ["a carriage return"]), ("/usr/bin/touch \(trace)", ["does not cover"]),
        ]
        try withDaemon(["hosts": hosts]) { _, client in
            for (command, words) in refused {
                let result = try client.callTool("ssh_exec", ["command": .string(command), "host": "listed"])
                #expect(result.isError, "\(command)")
                for word in words + ["hosts.listed.exec_allowlist", "\"listed\""] {
                    #expect(result.text.contains(word), "\(command): \(result.text)")
                }
            }
            let variable = try client.callTool(
                "ssh_exec", ["command": .string("touch \(trace)"), "host": "listed", "env": ["LD_PRELOAD": "/x"]])
            #expect(variable.isError && variable.text.contains("LD_PRELOAD"))
            #expect(try place.names.isEmpty, "nothing of it has run")

            let command = "touch \(trace) && echo \"$0\" 2>/dev/null; for i in 1 2; do echo $i 'a;b'; done"
            let result = try client.callTool(
                "ssh_exec", ["command": .string(command), "host": "listed", "env": ["LANG": "C"]])
            #expect(result["stdout"] == "/bin/sh\n1 a;b\n2 a;b\n" && result["exit_code"] == 0, "\(result)")
            #expect(try place.names == ["trace"])
        }
    }

    @Test("the shell that an exec_allowlist was judged for runs the command, whatever the login shell is")
    func loginShell() throws {
        for shell in ["/bin/tcsh", "/usr/bin/fish", "/usr/bin/zsh"] {
            guard Account.canCreate, FileManager.default.isExecutableFile(atPath: shell) else { continue }
            try withRemote(PrivateSSHD.Options(loginShell: shell)) { remote in
                let hosts: JSON = ["listed": remote.hostEntry.merging(["exec_allowlist": ["echo "]])]
                try withDaemon(["hosts": hosts], on: remote) { _, client in
                    // fish would run id, csh would look for an event.
                    let result = try client.callTool(
                        "ssh_exec", ["command": "x=1; echo $x '!x' 2>&1", "host": "listed"])
                    #expect(result["stdout"] == "1 !x\n", "\(shell): \(result)")
                }
            }
        }
    }

    @Test("without allow_delete nothing that deletes runs, wherever it stands; with it, it does")
    func deletion() throws {
        let place = try Place()
        let file = try place.write("file", "content")
        let refused = [
            "rm \(file)", "sudo -n rm \(file)", "true; /bin/rm \(file)", "sh -c 'rm \(file)'", "echo \"$(rm \(file))\"",
            "echo \(file) | xargs rm", "find \(file) -delete", "find \(file) -exec rm {} +", "sh <<'E'\nrm \(file)\nE",
            "echo 'rm \(file)' | sh", "env A=b timeout 5 rm \(file)", "> \(file)", "truncate -s 0 \(file)",
            "rm \(file) 'x",
        ]
        try withDaemon { _, client in
            for command in refused {
                let result = try client.callTool("ssh_exec", ["command": .string(command)])
                #expect(result.isError, "\(command)")
                #expect(
                    result.text.contains("safeguards.allow_delete") && result.text.contains("\"box\""), "\(result.text)"
                )
            }
            let script = try client.callTool("ssh_exec", ["command": "sh", "stdin": .string("rm \(file)\n")])
            #expect(script.isError && script.text.contains("\"rm\""))
            #expect(try place.content("file") == "content", "nothing of it has run")
            for command in [
                "echo rm; grep -c rm \(file) || true", "cat <<'E'\nrm \(file)\nE", "echo \"rm -rf\" # rm \(file)",
            ] {
                let result = try client.callTool("ssh_exec", ["command": .string(command)])
                #expect(!result.isError && result["exit_code"] == 0, "\(result)")
            }
        }
        try withDaemon(["safeguards": ["allow_delete": true]]) { _, client in
            let allowed = try client.callTool("ssh_exec", ["command": .string("rm \(file)")])
            #expect(allowed["exit_code"] == 0)
            #expect(try place.names.isEmpty)
        }
    }

    @Test(
        "with base_dir a command starts in that tree, also when symlinks are followed, and the result says what that means"
    )
    func workingDirectory() throws {
        let (place, trail) = (try Place(), try AuditTrail())
        for name in ["tree", "tree/inside", "tree2"] { place.makeDirectory(name) }
        let trace = place.file("trace")
        for (name, target) in [
            ("tree/out", "/tmp"), ("tree/beside", "../tree2"), ("tree/link", "inside"), ("alias", "tree"),
        ] { symlink(target, place.file(name)) }
        let entry = try Remote.shared().hostEntry
        let hosts: JSON = [
            "rooted": entry.merging(["base_dir": .string(place.file("tree"))]),
            "linked": entry.merging(["base_dir": .string(place.file("alias"))]),
        ]
        let config: JSON = ["hosts": hosts]
        try withDaemon(config.merging(trail.config)) { _, client in
            let refused: [(String, String)] = [
                ("", "pass \"cwd\""), ("tree2", "is not in it"), ("tree/../tree2", "is not in it"),
                ("tree/out", "through a symlink"), ("tree/beside", "through a symlink"),
                ("tree/link/../..", "is not in it"),
            ]
            for (index, (name, words)) in refused.enumerated() {
                let directory = name.isEmpty ? "" : place.file(name)
                let result = try client.callTool(
                    "ssh_exec",
                    ["command": .string("touch \(trace)"), "host": "rooted", "cwd": .string(directory)])
                #expect(result.isError && result.text.contains(words), "\(name): \(result)")
                #expect(result.text.contains("hosts.rooted.base_dir"))
                #expect(try trail.waitForCalls(index + 1).last?["rule"] == "base_dir")
            }
            #expect(try !place.names.contains("trace"), "nothing has run")
            for (host, name) in [("rooted", "tree"), ("rooted", "tree/link"), ("linked", "alias/inside")] {
                let result = try client.callTool(
                    "ssh_exec", ["command": "pwd", "host": .string(host), "cwd": .string(place.file(name))])
                #expect(result["exit_code"] == 0, "\(result)")
                #expect(result["note"]?.string?.contains("the command itself could leave it") == true)
            }
            let plain = try client.callTool("ssh_exec", ["command": "pwd"])
            #expect(plain["note"] == nil)
            let tools = try client.request("tools/list")["result"]?["tools"]?.array ?? []
            let exec = tools.first { $0["name"] == "ssh_exec" }
            let text = exec?["inputSchema"]?["properties"]?["cwd"]?["description"]?.string
            #expect(text?.contains("the command itself can leave it") == true)
        }
    }
}
