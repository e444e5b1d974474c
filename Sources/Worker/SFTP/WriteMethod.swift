/// How a file was written.
public enum WriteMethod: Equatable, Sendable {
    /// The file is new.
    case created
    /// A temporary file took the place of the file in one step.
    case replaced
    /// The file was overwritten in place, for this reason. Others could see it half written.
    case inPlace(reason: String)
}
