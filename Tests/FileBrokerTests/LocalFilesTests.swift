import Glibc
import IPC
import TestSupport
import Testing

@testable import FileBroker

/// What a file broker opens for a worker, and what it refuses.
@Suite struct LocalFilesTests {
    @Test("however many and long the roots are, a refusal says what to do, names some, and counts the others")
    func manyRoots() {
        let name = String(repeating: "r", count: 100)
        let rules = LocalRules(roots: (0..<401).map { LocalRoot(leftOut: "/\(name)\($0)") }, home: nil)
        let long = "/" + String(repeating: "x", count: 4094)
        #expect {
            try rules.judge(asked: long)
        } throws: { error in
            guard let sentence = (error as? LocalRefusal)?.sentence else { return false }
            return sentence.utf8.count <= FileAnswer.maximumReason && sentence.hasSuffix(" others.")
                && sentence.contains("Use a path in one of those below, or ask the user")
                && sentence.contains("/\(name)0, ")
        }
    }

    /// A tree of its own: home/.ssh/id, home/notes, root/in, root/sub/, and links that lead out.
    private final class Tree {
        let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
            let base = directory.path
            let nested = ["home/.ssh", "home/.sshx", "home", "root/sub", "root"]
            for name in nested.reversed() { mkdir("\(base)/\(name)", 0o700) }
            for name in ["home/.ssh/id", "home/.sshx/f", "home/notes", "home/.bashrc", "root/in"] {
                try directory.write(name, name)
            }
            symlink("../home/notes", "\(base)/root/out")
            symlink("in", "\(base)/root/inside")
            symlink("../home", "\(base)/root/updir")
            symlink(".ssh", "\(base)/home/keys")
            symlink("loop", "\(base)/root/loop")
            mkfifo("\(base)/root/fifo", 0o600)
        }

        func files(
            roots: [String]? = nil, overwrite: Bool = false, auditLog: String? = nil, own: [String] = [],
            environment: [String: String] = [:], userID: UInt32 = 1000
        ) -> LocalFiles {
            let logs = auditLog.map { [OwnPath(directory.file($0), "the audit_log", beside: .any)] } ?? []
            return LocalFiles(
                LocalRules(
                    roots: roots.map { $0.map { LocalRoot(directory.file($0)) } }, home: directory.file("home"),
                    own: logs + own.map { OwnPath(directory.file($0), "the daemon's own") },
                    environment: environment.mapValues { directory.file($0) }, userID: userID),
                allowOverwrite: overwrite)
        }

        func text(_ name: String) -> String? {
            let number = open(directory.file(name), O_RDONLY | O_CLOEXEC)
            guard number >= 0 else { return nil }
            let file = OwnedFD(taking: number)
            var bytes = [UInt8](repeating: 0, count: 100)
            let count = read(file.rawValue, &bytes, bytes.count)
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }

        func mode(_ name: String) -> mode_t {
            var status = stat()
            return lstat(directory.file(name), &status) == 0 ? status.st_mode & 0o7777 : 0
        }
    }

    private static func opened(_ files: LocalFiles, _ path: String) -> Result<String, LocalRefusal> {
        do throws(LocalRefusal) {
            let opened = try files.open(path)
            var bytes = [UInt8](repeating: 0, count: Int(opened.size))
            let count = read(opened.file.rawValue, &bytes, bytes.count)
            return .success(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
        } catch {
            return .failure(error)
        }
    }

    private static func refused(_ files: LocalFiles, _ path: String, _ word: String) -> Bool {
        guard case .failure(let refusal) = opened(files, path) else { return false }
        return refusal.sentence.contains(word)
    }

    private static func refusal(_ files: LocalFiles, _ path: String) -> String {
        guard case .failure(let refusal) = opened(files, path) else { return "" }
        return refusal.sentence
    }

    private static func committed(_ files: LocalFiles, _ pending: consuming LocalFiles.Pending) -> LocalRefusal? {
        do throws(LocalRefusal) {
            _ = try files.commit(pending)
            return nil
        } catch {
            return error
        }
    }

    private static func write(_ files: LocalFiles, _ path: String, _ text: String) throws(LocalRefusal) {
        let pending = try files.create(path)
        _ = Glibc.write(pending.file.rawValue, text, text.utf8.count)
        _ = try files.commit(pending)
    }

    @Test("a regular file is opened, whatever links lead to it")
    func opensRegularFiles() throws {
        let tree = try Tree()
        #expect(LocalFilesTests.opened(tree.files(), tree.directory.file("home/notes")) == .success("home/notes"))
        #expect(LocalFilesTests.opened(tree.files(), tree.directory.file("root/out")) == .success("home/notes"))
    }

    @Test("credentials and start-up files are refused, also through links; their neighbours are not")
    func protected() throws {
        let tree = try Tree()
        let files = tree.files()
        for name in ["home/.ssh/id", "home/keys/id", "root/updir/.ssh/id", "home/.bashrc", "home/./.ssh/../.ssh/id"] {
            #expect(LocalFilesTests.refused(files, tree.directory.file(name), "local_roots"), "\(name)")
            #expect(
                LocalFilesTests.refused(tree.files(roots: ["home", "root"]), tree.directory.file(name), "protected"),
                "\(name)")
        }
        #expect(LocalFilesTests.refused(files, "/proc/self/environ", "local_roots"))
        #expect(LocalFilesTests.refused(files, "/proc/self/root/etc/passwd", "cannot be used"))
        #expect(
            LocalFilesTests.opened(tree.files(roots: ["home"]), tree.directory.file("home/.sshx/f"))
                == .success("home/.sshx/f"))
        #expect(throws: LocalRefusal.self) { _ = try files.create(tree.directory.file("home/.ssh/new")) }
        #expect(throws: LocalRefusal.self) { _ = try files.create(tree.directory.file("home/.zshrc")) }
    }

    @Test("what is protected in ~/.config and ~/.local/share is so where XDG variables put these, also with roots")
    func moved() throws {
        let tree = try Tree()
        for name in ["cfg", "cfg/autostart", "cfg/systemd", "cfg/gh", "data", "data/keyrings", "cfg/notes"] {
            mkdir(tree.directory.file("root/\(name)"), 0o700)
        }
        let closed = ["cfg/autostart/x.desktop", "cfg/systemd/x.service", "cfg/gh/hosts.yml", "data/keyrings/login"]
        for name in closed { try tree.directory.write("root/\(name)", name) }
        let environment = ["XDG_CONFIG_HOME": "root/cfg", "XDG_DATA_HOME": "root/data"]
        let files = tree.files(roots: ["root"], environment: environment)
        for name in closed {
            #expect(
                LocalFilesTests.refused(files, tree.directory.file("root/\(name)"), "protected"), "\(name)")
            #expect(throws: LocalRefusal.self, "\(name)") { _ = try files.create(tree.directory.file("root/\(name)")) }
        }
        try LocalFilesTests.write(files, tree.directory.file("root/cfg/notes/n"), "n")
        #expect(LocalFilesTests.opened(files, tree.directory.file("root/cfg/notes/n")) == .success("n"))
    }

    @Test("a root that names a protected path exactly opens it, a wider one does not")
    func protectedRoot() throws {
        let tree = try Tree()
        let key = tree.directory.file("home/.ssh/id")
        #expect(LocalFilesTests.opened(tree.files(roots: ["home/.ssh"]), key) == .success("home/.ssh/id"))
        #expect(LocalFilesTests.refused(tree.files(roots: ["home"]), key, "protected"))
    }

    @Test("the audit log is out of reach whatever the roots say, with what a rotation leaves beside it")
    func auditLog() throws {
        let tree = try Tree()
        for roots in [nil, ["root"], ["root/in"]] as [[String]?] {
            let files = tree.files(roots: roots, overwrite: true, auditLog: "root/in")
            #expect(LocalFilesTests.refused(files, tree.directory.file("root/in"), "audit_log"))
            for name in roots == ["root/in"] ? ["root/in"] : ["root/in", "root/in.1", "root/sub/../in"] {
                #expect(throws: LocalRefusal.self, "\(name)") { _ = try files.create(tree.directory.file(name)) }
            }
        }
        let files = tree.files(overwrite: true, auditLog: "root/in")
        #expect(
            LocalFilesTests.refused(files, tree.directory.file("root/inside"), "audit_log"), "through a link")
        mkdir(tree.directory.file("root/in.d"), 0o700)
        try tree.directory.write("root/in.d/f", "f")
        #expect(
            LocalFilesTests.opened(files, tree.directory.file("root/in.d/f")) == .success("f"), "a directory beside it")
        #expect(LocalFilesTests.opened(files, tree.directory.file("home/notes")) == .success("home/notes"))
    }

    @Test("with roots, only their trees are open, and no link or .. leads out")
    func roots() throws {
        let tree = try Tree()
        let files = tree.files(roots: ["root"])
        #expect(LocalFilesTests.opened(files, tree.directory.file("root/in")) == .success("root/in"))
        #expect(LocalFilesTests.opened(files, tree.directory.file("root/inside")) == .success("root/in"))
        #expect(LocalFilesTests.opened(files, tree.directory.file("root/sub/../in")) == .success("root/in"))
        for name in ["home/notes", "root/out", "root/updir/notes", "root/../home/notes", "rootx/in"] {
            #expect(LocalFilesTests.refused(files, tree.directory.file(name), "local_roots"), "\(name)")
            guard case .failure(let refusal) = LocalFilesTests.opened(files, tree.directory.file(name)) else {
                continue
            }
            #expect(refusal.rule == "local_roots", "\(name)")
        }
        #expect(LocalFilesTests.refused(tree.files(roots: []), tree.directory.file("root/in"), "local_roots"))
        #expect(throws: LocalRefusal.self) { _ = try files.create(tree.directory.file("root/updir/new")) }
    }

    @Test("a root that is the root directory under another name opens nothing, beside others that do")
    func everything() throws {
        let tree = try Tree()
        let base = tree.directory.path
        symlink("/", "\(base)/all")
        symlink("all", "\(base)/again")
        let rules = { (roots: [String]) in
            LocalFiles(
                LocalRules(roots: roots.map { LocalRoot($0) }, home: "\(base)/home", userID: 1000),
                allowOverwrite: false)
        }
        let roots = ["\(base)/all", "\(base)/again/", "/proc/self/root", "/proc/\(getpid())/root", "/"]
        for root in roots {
            for path in ["/etc/passwd", "\(root)/etc/passwd", "\(base)/root/in", "\(root)\(base)/root/in"] {
                let refusal = Self.refusal(rules([root]), path)
                #expect(refusal.contains("is the root directory under another name"), "\(root) \(path): \(refusal)")
                #expect(refusal.contains("\(root) there is"), "\(refusal)")
                #expect(
                    Self.refusal(rules([root, "\(base)/root/sub"]), path).contains("Allowed are paths in: \(base)"))
            }
            let both = rules([root, "\(base)/root"])
            #expect(Self.opened(both, "\(base)/root/in") == .success("root/in"))
            // A root below it is one of its own.
            #expect(Self.opened(rules([root, "\(base)/all\(base)/root"]), "\(base)/root/in") == .success("root/in"))
            #expect(throws: LocalRefusal.self) { _ = try rules([root]).create("\(root)\(base)/root/new") }
        }
        // When it leads elsewhere later, another broker looks at it.
        let link = LocalRoot("\(base)/all")
        #expect(link.isEverything && !link.hasChanged)
        unlink("\(base)/all")
        symlink("root", "\(base)/all")
        #expect(link.hasChanged && !LocalRoot("\(base)/all").isEverything)
    }

    @Test("what is no regular file is refused, and nothing blocks on it")
    func special() throws {
        let tree = try Tree()
        let files = tree.files()
        for (name, word) in [
            ("root/fifo", "regular"), ("root", "regular"), ("root/loop", "cannot"), ("root/none", "cannot"),
        ] {
            #expect(LocalFilesTests.refused(files, tree.directory.file(name), word), "\(name)")
        }
        for path in ["", "relative", "~/notes"] { #expect(LocalFilesTests.refused(files, path, "absolute"), "\(path)") }
        #expect(LocalFilesTests.refused(files, "/" + String(repeating: "a", count: 5000), "longer"))
        #expect(LocalFilesTests.refused(files, "/etc/pass\0wd", "NUL"))
    }

    @Test("a new file has mode 0600 and no name before it is committed")
    func create() async {
        await #expect(processExitsWith: .success) {
            let tree = try Tree()
            umask(0)
            let files = tree.files()
            let path = tree.directory.file("root/new")
            let pending = try files.create(path)
            #expect(Glibc.write(pending.file.rawValue, "data", 4) == 4)
            #expect(access(path, F_OK) != 0)
            _ = try files.commit(pending)
            #expect(tree.text("root/new") == "data")
            #expect(tree.mode("root/new") == 0o600)
        }
    }

    @Test("a file that is dropped leaves nothing")
    func drop() throws {
        let tree = try Tree()
        do {
            let pending = try tree.files().create(tree.directory.file("root/sub/new"))
            #expect(Glibc.write(pending.file.rawValue, "data", 4) == 4)
        }
        #expect(rmdir(tree.directory.file("root/sub")) == 0, "the directory is not empty")
    }

    @Test("an existing file stays, unless overwriting is allowed; then it is replaced in one step")
    func overwrite() throws {
        let tree = try Tree()
        let path = tree.directory.file("root/in")
        #expect(throws: LocalRefusal.self) { try LocalFilesTests.write(tree.files(), path, "new") }
        #expect(tree.text("root/in") == "root/in")
        try LocalFilesTests.write(tree.files(overwrite: true), path, "new")
        #expect(tree.text("root/in") == "new")
        for name in ["root/sub", "root/fifo", "root/out"] {
            #expect(throws: LocalRefusal.self, "\(name)") {
                try LocalFilesTests.write(tree.files(overwrite: true), tree.directory.file(name), "new")
            }
        }
        #expect(tree.text("home/notes") == "home/notes")
    }

    @Test("of two writers to one new name, one wins and the other is told")
    func race() throws {
        let tree = try Tree()
        let files = tree.files()
        let path = tree.directory.file("root/new")
        let first = try files.create(path)
        let second = try files.create(path)
        _ = Glibc.write(first.file.rawValue, "first", 5)
        _ = Glibc.write(second.file.rawValue, "second", 6)
        #expect(LocalFilesTests.committed(files, second) == nil)
        let refusal = LocalFilesTests.committed(files, first)
        #expect(refusal?.sentence.contains("exists already") == true && refusal?.rule == "allow_overwrite")
        #expect(tree.text("root/new") == "second")
    }

    @Test("a slash before a combining mark is a slash: no name hides one, no directory loses its protection")
    func combiningMarks() throws {
        let tree = try Tree()
        let mark = "\u{301}"
        try tree.directory.write("home/.ssh/\(mark)id", "secret")
        #expect(
            LocalFilesTests.refused(tree.files(), tree.directory.file("home/.ssh/\(mark)id"), "hidden"))
        mkdir(tree.directory.file("home/.local"), 0o700)
        mkdir(tree.directory.file("home/.local/bin"), 0o700)
        #expect(throws: LocalRefusal.self) {
            try LocalFilesTests.write(tree.files(), tree.directory.file("home/.local/bin/\(mark)ls"), "x")
        }
        // Through a link out of the root.
        #expect(throws: LocalRefusal.self) {
            try LocalFilesTests.write(tree.files(roots: ["root"]), tree.directory.file("root/updir/\(mark)new"), "x")
        }
        #expect(access(tree.directory.file("home/\(mark)new"), F_OK) != 0)
        try LocalFilesTests.write(tree.files(roots: ["root"]), tree.directory.file("root/sub/\(mark)new"), "x")
        #expect(tree.text("root/sub/\(mark)new") == "x")
    }

    @Test("what is protected stays so under its other names: behind a link of its own, by a hard link")
    func otherNames() throws {
        let tree = try Tree()
        try tree.directory.write("root/sub/key", "secret")
        symlink("../root/sub", tree.directory.file("home/.gnupg"))
        try tree.directory.write("home/.netrc", "secret")
        link(tree.directory.file("home/.netrc"), tree.directory.file("root/hard"))
        for files in [tree.files(), tree.files(roots: ["root", "home"])] {
            for name in ["root/sub/key", "home/.gnupg/key", "root/hard"] {
                #expect(LocalFilesTests.refused(files, tree.directory.file(name), ""), "\(name)")
            }
            #expect(throws: LocalRefusal.self) { _ = try files.create(tree.directory.file("root/sub/new")) }
        }
        #expect(LocalFilesTests.opened(tree.files(), tree.directory.file("root/in")) == .success("root/in"))
    }

    @Test("what is protected stays so where a directory in the way is a link, also before it is there")
    func linkedDirectories() throws {
        let tree = try Tree()
        for name in [".config", ".cargo"] { symlink("../root/sub", tree.directory.file("home/\(name)")) }
        for name in ["home/.cargo/config.toml", "home/.config/gh", "root/sub/credentials.toml", "root/sub/autostart"] {
            #expect(throws: LocalRefusal.self, "\(name)") { _ = try tree.files().create(tree.directory.file(name)) }
        }
        try LocalFilesTests.write(
            tree.files(roots: ["home", "root"]), tree.directory.file("home/.cargo/notes"), "x")
    }

    @Test("a home that is a link protects the same, and a root may name what is protected through it")
    func linkedHome() throws {
        let tree = try Tree()
        symlink("home", tree.directory.file("me"))
        func files(_ roots: [String]?) -> LocalFiles {
            LocalFiles(
                LocalRules(
                    roots: roots.map { $0.map { LocalRoot(tree.directory.file($0)) } }, home: tree.directory.file("me"),
                    userID: 1000),
                allowOverwrite: false)
        }
        for name in ["me/.ssh/id", "home/.ssh/id"] {
            #expect(LocalFilesTests.refused(files(nil), tree.directory.file(name), "hidden"), "\(name)")
        }
        for name in ["me", "home"] {
            let key = tree.directory.file("\(name)/.ssh/id")
            #expect(LocalFilesTests.opened(files(["\(name)/.ssh"]), key) == .success("home/.ssh/id"), "\(name)")
        }
    }

    @Test("a root may be a link, end in slashes, or name one file, for reading and for writing")
    func oddRoots() throws {
        let tree = try Tree()
        symlink("root", tree.directory.file("way"))
        #expect(
            LocalFilesTests.opened(tree.files(roots: ["way//"]), tree.directory.file("way//in")) == .success("root/in"))
        #expect(
            LocalFilesTests.opened(tree.files(roots: ["way"]), tree.directory.file("root/in")) == .success("root/in"))
        #expect(LocalFilesTests.refused(tree.files(roots: ["way"]), tree.directory.file("way/out"), "local_roots"))
        let single = tree.files(roots: ["root/new"])
        try LocalFilesTests.write(single, tree.directory.file("root/new"), "x")
        #expect(LocalFilesTests.opened(single, tree.directory.file("root/new")) == .success("x"))
        for name in ["root/in", "root/new/x", "root/newer"] {
            #expect(LocalFilesTests.refused(single, tree.directory.file(name), "local path"), "\(name)")
            #expect(throws: LocalRefusal.self) { _ = try single.create(tree.directory.file(name)) }
        }
    }

    @Test("where the real path cannot be told, nothing is opened")
    func unknownRealPath() throws {
        let tree = try Tree()
        // Two halves of a path longer than PATH_MAX, the second one reached through a link to the first.
        let half = String(repeating: String(repeating: "d", count: 200) + "/", count: 12)
        for start in ["home/.ssh", "home/deep"] {
            if start == "home/deep" { symlink(".ssh/\(half)", tree.directory.file(start)) }
            var path = tree.directory.file(start)
            for name in half.split(separator: "/") {
                path += "/\(name)"
                #expect(mkdir(path, 0o700) == 0)
            }
        }
        let path = tree.directory.file("home/deep/\(half)id")
        let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        #expect(file >= 0)
        close(file)
        #expect(LocalFilesTests.refused(tree.files(), path, "real path"))
    }

    @Test("a file that somebody holds a lease on does not block the daemon")
    func lease() throws {
        let tree = try Tree()
        signal(SIGIO, SIG_IGN)
        let path = tree.directory.file("root/in")
        let holder = OwnedFD(taking: open(path, O_RDWR | O_CLOEXEC))
        // Whoever has the file open stands in the way, also a child that is just being started.
        try #require(comesToHold { fcntl(holder.rawValue, 1024, F_WRLCK) == 0 }, "F_SETLEASE")
        #expect(LocalFilesTests.refused(tree.files(), path, "cannot be used"))
    }

    @Test("a path that is much too long is refused in a few words")
    func shortSentences() throws {
        let tree = try Tree()
        for path in ["/" + String(repeating: "a", count: 65_000), String(repeating: "a", count: 65_000)] {
            guard case .failure(let opening) = LocalFilesTests.opened(tree.files(), path) else {
                Issue.record("it was opened")
                continue
            }
            #expect(opening.sentence.utf8.count < 1000)
            do throws(LocalRefusal) {
                _ = try tree.files().create(path)
                Issue.record("it was created")
            } catch {
                #expect(error.sentence.utf8.count < 1000)
            }
        }
    }

    @Test("what the daemon itself lives on is protected, and a directory that has gone takes no file")
    func own() throws {
        let tree = try Tree()
        let files = tree.files(overwrite: true, own: ["root/in"])
        #expect(LocalFilesTests.refused(files, tree.directory.file("root/inside"), "the daemon's own"))
        #expect(throws: LocalRefusal.self) { _ = try files.create(tree.directory.file("root/in")) }
        let pending = try files.create(tree.directory.file("root/sub/new"))
        #expect(rmdir(tree.directory.file("root/sub")) == 0)
        #expect(LocalFilesTests.committed(files, pending)?.sentence.contains("root/sub/new") == true)
    }

    @Test("without roots, no hidden component is passed, below or above a directory, by its name or through links")
    func hidden() throws {
        let tree = try Tree()
        let base = tree.directory.path
        for name in [
            "home/.local", "home/.local/lib", "root/repo", "root/repo/.git", "root/repo/.git/hooks", "root/.d",
        ] {
            mkdir("\(base)/\(name)", 0o700)
        }
        mkdir("\(base)/root/.d/deep", 0o700)
        symlink(".d/deep", "\(base)/root/way")
        try tree.directory.write("home/.Xauthority", "secret")
        try tree.directory.write("root/.d/deep/f", "f")
        for name in ["home/.Xauthority", "root/.d/deep/f", "root/way/f", "root/repo/../.d/deep/f"] {
            #expect(LocalFilesTests.refused(tree.files(), tree.directory.file(name), "hidden"), "\(name)")
        }
        for name in [
            "home/.local/lib/x.pth", "root/repo/.git/hooks/post-checkout", "root/repo/.envrc", "root/way/new",
            "root/.d/deep/new", "root/.new", "root/..new",
        ] {
            #expect(throws: LocalRefusal.self, "\(name)") { _ = try tree.files().create(tree.directory.file(name)) }
        }
        try LocalFilesTests.write(tree.files(), tree.directory.file("root/repo/a.b"), "x")
        let files = tree.files(roots: ["root"])
        for name in ["root/repo/.envrc", "root/repo/.git/hooks/post-checkout", "root/way/new"] {
            try LocalFilesTests.write(files, tree.directory.file(name), "the user has decided")
        }
    }

    @Test("without roots, directories that programs are taken from are closed, by every name that they have")
    func programs() throws {
        let tree = try Tree()
        let base = tree.directory.path
        for name in ["home/bin", "root/venv", "root/venv/bin", "root/run", "root/config", "root/tools"] {
            mkdir("\(base)/\(name)", 0o700)
        }
        symlink("tools", "\(base)/root/alias")
        let environments = [
            ["PATH": "root/tools", "XDG_RUNTIME_DIR": "root/run", "XDG_CONFIG_HOME": "root/config"],
            ["PATH": "root/alias", "XDG_RUNTIME_DIR": "root/run", "XDG_CONFIG_HOME": "root/config"],
        ]
        for environment in environments {
            let files = tree.files(environment: environment)
            for name in ["home/bin", "root/venv/bin", "root/run", "root/config", "root/tools", "root/alias"] {
                #expect(throws: LocalRefusal.self, "\(name)") {
                    _ = try files.create(tree.directory.file("\(name)/new"))
                }
            }
        }
        for path in [
            "/usr/bin/env", "/bin/sh", "/etc/passwd", "/etc/cron.d/x", "/run/user/1000/x", "/usr/lib/os-release",
        ] {
            #expect(LocalFilesTests.refused(tree.files(), path, "local"), "\(path)")
            #expect(throws: LocalRefusal.self, "\(path)") { _ = try tree.files().create(path + ".new") }
        }
    }

    @Test("without roots, a dotfile that is kept elsewhere is closed by its plain name as well")
    func dotfiles() throws {
        let tree = try Tree()
        let base = tree.directory.path
        for name in ["home/.config", "home/dotfiles", "home/dotfiles/tool"] { mkdir("\(base)/\(name)", 0o700) }
        try tree.directory.write("home/dotfiles/toolrc", "x")
        symlink("dotfiles/toolrc", "\(base)/home/.toolrc")
        symlink("../dotfiles/tool", "\(base)/home/.config/tool")
        symlink(".", "\(base)/home/.self")
        let files = tree.files(overwrite: true)
        #expect(LocalFilesTests.refused(files, tree.directory.file("home/dotfiles/toolrc"), "local_roots"))
        for name in ["home/dotfiles/toolrc", "home/dotfiles/tool/init"] {
            #expect(throws: LocalRefusal.self, "\(name)") { _ = try files.create(tree.directory.file(name)) }
        }
        try LocalFilesTests.write(files, tree.directory.file("home/dotfiles/README"), "x")
    }

    @Test("what a hidden link leads to is closed, and the sentence names the path that was asked for, the link and why")
    func hiddenLink() throws {
        let tree = try Tree()
        let base = tree.directory.path
        mkdir("\(base)/home/d", 0o700)
        try tree.directory.write("home/d/f", "x")
        symlink("d", "\(base)/home/.link")
        let refusal = Self.refusal(tree.files(), "\(base)/home/d/f")
        #expect(
            refusal.hasPrefix(
                "The local path \(base)/home/d/f is closed while local_roots is not set: the hidden link "
                    + "\(base)/home/.link leads to it or to a directory above it, "), "\(refusal)")
        // The user may decide otherwise.
        #expect(Self.opened(tree.files(roots: ["home/d"]), "\(base)/home/d/f") == .success("x"))
        #expect(Self.opened(tree.files(), "\(base)/home/notes") == .success("home/notes"))
    }

    @Test("a daemon of root opens nothing without roots, and with them what they name")
    func root() throws {
        let tree = try Tree()
        for name in ["root/in", "home/notes", "root/none"] {
            #expect(
                LocalFilesTests.refused(tree.files(userID: 0), tree.directory.file(name), "daemon of root"), "\(name)")
        }
        #expect(throws: LocalRefusal.self) { _ = try tree.files(userID: 0).create(tree.directory.file("root/new")) }
        let files = tree.files(roots: ["root"], userID: 0)
        #expect(LocalFilesTests.opened(files, tree.directory.file("root/in")) == .success("root/in"))
    }

    @Test("roots that are the same place by a link are one place, in whatever order they are given")
    func onePlace() throws {
        let tree = try Tree()
        for roots in [["root", "root/updir"], ["root/updir", "root"]] {
            let files = tree.files(roots: roots)
            for name in ["root/updir/notes", "home/notes", "root/out"] {
                #expect(
                    LocalFilesTests.opened(files, tree.directory.file(name)) == .success("home/notes"),
                    "\(roots): \(name)")
            }
            try LocalFilesTests.write(files, tree.directory.file("root/updir/\(roots[0].count)"), "x")
        }
    }

    @Test("what the daemon lives on stays closed, also where a root names it, with what lies beside it")
    func ownWithRoots() throws {
        let tree = try Tree()
        try tree.directory.write("root/s.lock", "")
        link(tree.directory.file("root/in"), tree.directory.file("root/hard"))
        for roots in [nil, ["root"], ["root/in", "root/s", "root/s.lock", "root/hard"]] as [[String]?] {
            let files = tree.files(roots: roots, overwrite: true, own: ["root/in", "root/s"])
            for name in ["root/in", "root/s.lock", "root/hard"] {
                #expect(LocalFilesTests.refused(files, tree.directory.file(name), "daemon's own"), "\(name)")
            }
            #expect(throws: LocalRefusal.self) { _ = try files.create(tree.directory.file("root/s")) }
        }
        #expect(throws: LocalRefusal.self) {
            _ = try tree.files(own: ["root/s"]).create(tree.directory.file("root/s.new"))
        }
        try LocalFilesTests.write(tree.files(own: ["root/s"]), tree.directory.file("root/snow"), "x")
    }

    @Test("a file keeps what it was made with when the rules change, but never takes the place of the daemon's own")
    func changedRules() throws {
        let tree = try Tree()
        let path = tree.directory.file("root/in")
        let pending = try tree.files(overwrite: true).create(path)
        _ = Glibc.write(pending.file.rawValue, "new", 3)
        #expect(LocalFilesTests.committed(tree.files(roots: ["home"]), pending) == nil)
        #expect(tree.text("root/in") == "new")
        let second = try tree.files(overwrite: true).create(path)
        #expect(
            LocalFilesTests.committed(tree.files(overwrite: true, auditLog: "root/in"), second)?.sentence
                .contains("audit_log") == true)
        #expect(tree.text("root/in") == "new")
    }

    @Test("without roots a file with several names is not opened, because one of them may be hidden; with roots it is")
    func hardLinks() throws {
        let tree = try Tree()
        try tree.directory.write("home/.token", "secret")
        link(tree.directory.file("home/.token"), tree.directory.file("root/plain"))
        #expect(LocalFilesTests.refused(tree.files(), tree.directory.file("root/plain"), "2 names (hard links)"))
        #expect(
            LocalFilesTests.opened(tree.files(roots: ["root"]), tree.directory.file("root/plain")) == .success("secret")
        )
        // What replaces it touches the other name in no way.
        try LocalFilesTests.write(tree.files(overwrite: true), tree.directory.file("root/plain"), "new")
        #expect(tree.text("home/.token") == "secret")
        #expect(tree.text("root/plain") == "new")
    }

    @Test("without roots no file is made that is run by itself wherever it lies")
    func runByThemselves() throws {
        let tree = try Tree()
        mkdir(tree.directory.file("home/Desktop"), 0o700)
        for name in [
            "home/Desktop/x.desktop", "root/x.desktop", "root/X.Desktop", "root/autorun.sh", "root/site.pth",
            "root/usercustomize.py",
        ] {
            do throws(LocalRefusal) {
                _ = try tree.files().create(tree.directory.file(name))
                Issue.record("\(name) was made")
            } catch {
                #expect(error.rule == "local_roots" && error.sentence.contains("run by themselves"), "\(error)")
            }
            try LocalFilesTests.write(
                tree.files(roots: ["home", "root"]), tree.directory.file(name), "the user has decided")
        }
        try LocalFilesTests.write(tree.files(), tree.directory.file("root/desktop"), "x")
        try LocalFilesTests.write(tree.files(), tree.directory.file("root/x.desktop.txt"), "x")
    }

    @Test(
        "without roots a directory as git or Subversion keep theirs is closed, complete or not, through links as well")
    func repositories() throws {
        let tree = try Tree()
        func make(_ name: String, directories: [String], files: [String]) throws {
            mkdir(tree.directory.file("root/\(name)"), 0o700)
            for directory in directories { mkdir(tree.directory.file("root/\(name)/\(directory)"), 0o700) }
            for file in files { try tree.directory.write("root/\(name)/\(file)", file) }
        }
        try make("bare.git", directories: ["objects", "refs", "hooks"], files: ["HEAD", "config"])
        try make("headless", directories: ["objects", "refs", "hooks"], files: [])
        try make("worktree", directories: ["hooks"], files: ["HEAD", "commondir"])
        try make("tables", directories: ["objects", "hooks"], files: ["HEAD"])
        try make("subversion", directories: ["db", "hooks", "conf"], files: ["format"])
        symlink("bare.git/hooks", tree.directory.file("root/way"))
        for name in [
            "bare.git/hooks/post-update", "bare.git/config.new", "bare.git/x", "headless/HEAD", "headless/hooks/update",
            "worktree/hooks/x", "tables/hooks/x", "subversion/hooks/post-commit", "way/post-update",
        ] {
            do throws(LocalRefusal) {
                _ = try tree.files(overwrite: true).create(tree.directory.file("root/\(name)"))
                Issue.record("\(name) was made")
            } catch {
                #expect(error.rule == "local_roots" && error.sentence.contains("hooks and settings"), "\(error)")
            }
        }
        #expect(LocalFilesTests.refused(tree.files(), tree.directory.file("root/bare.git/config"), "looks like"))
        try LocalFilesTests.write(
            tree.files(roots: ["root"]), tree.directory.file("root/bare.git/hooks/post-update"), "the user has decided")
        // A directory of that name is nothing special.
        try make("source", directories: ["hooks", "objects"], files: [])
        try LocalFilesTests.write(tree.files(), tree.directory.file("root/source/hooks/useEffect.ts"), "x")
    }
}
