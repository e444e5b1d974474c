/// What a write does with a file that exists.
public enum WritePolicy: Equatable, Sendable {
    /// Leaves the file alone and fails with `.exists`. If two writers do this at once, one succeeds.
    case createOnly
    /// Puts the new content in its place.
    case replace
}
