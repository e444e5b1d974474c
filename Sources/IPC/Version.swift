/// The version of this build: daemon and worker are of one build, and both name it.
public enum Version {
    /// As semver.org has it.
    public static let text = "3.0.0-dev"
}
