import Glibc
import TestSupport
import Testing

@testable import Supervisor

@Suite("Default path of the config")
struct DefaultConfigPathTests {
    @Test(arguments: [
        (nil, "/home/ann/.config"), ("", "/home/ann/.config"), ("cfg", "/home/ann/.config"),
        ("./cfg", "/home/ann/.config"), ("~/cfg", "/home/ann/.config"), ("/srv/cfg", "/srv/cfg"),
    ])
    func `XDG_CONFIG_HOME counts where it is absolute`(value: String?, directory: String) {
        var environment = ["HOME": "/home/ann"]
        environment["XDG_CONFIG_HOME"] = value
        #expect(
            DefaultConfigPath.path(environment: environment) == "\(directory)/claude-ssh-daemon/config.json")
    }

    @Test func `who has a config in ~/.config, and XDG_CONFIG_HOME set, is told that it is not read`() throws {
        let home = try TemporaryDirectory()
        for name in [".config", ".config/claude-ssh-daemon"] { mkdir(home.file(name), 0o700) }
        let config = try home.write(".config/claude-ssh-daemon/config.json", "{}")
        let environment = ["HOME": home.path, "XDG_CONFIG_HOME": home.file("cfg")]
        let path = DefaultConfigPath.path(environment: environment)
        #expect {
            try ConfigFile.load(path, environment: environment)
        } throws: { error in
            let told = (error as? ConfigError)?.mistakes ?? []
            return told.count == 1
                && told[0].contains("No such file or directory; XDG_CONFIG_HOME is set, so that \(config) is not read")
        }
        unlink(config)
        #expect {
            try ConfigFile.load(path, environment: environment)
        } throws: { error in
            (error as? ConfigError)?.mistakes.first?.hasSuffix(
                "write one as the README shows, or name it with --config") == true
        }
    }
}
